"""``videos:PATH``: one sub-folder of video files, or of folders of frames, a class."""

from __future__ import annotations

from pathlib import Path

from rnnedge.data.clips import Clip, ClipSet
from rnnedge.data.videos import VIDEO_SUFFIXES, VideoLoading, find_videos
from rnnedge_device.errors import InputError


def load_video_folder(path: str, split: str, loading: VideoLoading) -> ClipSet:
    """Load a split of a folder of class sub-folders; see :func:`rnnedge.data.load_clips`.

    Every video is a clip of its folder's class. Folders of frames play at ``clip.fps``.
    """
    root, spec = Path(path), f"videos:{path}"
    if not root.is_dir():
        raise InputError(f"data={spec}: is not a folder")
    folders = [d for d in sorted(root.iterdir()) if d.is_dir() and not d.name.startswith(".")]
    found = {d.name: videos for d in folders if (videos := find_videos(d))}
    if not found:
        raise InputError(
            f"data={spec}: has no class sub-folder with videos ({', '.join(VIDEO_SUFFIXES)}) or folders of frames"
        )
    class_of = loading.gather(list(found))
    names = list(dict.fromkeys(class_of.values()))
    if len(names) < 2:
        raise InputError(f"data={spec}: has videos of one class only ({names[0]}); needs two or more")
    if (background := loading.clip.background) and background not in names:
        raise InputError(f"background={background!r}: is no class of {spec}; allowed: {', '.join(names)}")

    paths = {
        video.relative_to(root).as_posix(): video for label in sorted(class_of) for video in found[label]
    }
    groups = loading.split(list(paths), split)
    decoded, skipped = loading.decode({name: paths[name] for name in groups})
    if not decoded:
        raise InputError(
            f"data={spec}: split {split!r} has no videos "
            f"({len(paths)} in all splits, {len(skipped)} damaged here)"
        )
    clips = [
        Clip(
            name,
            names.index(class_of[paths[name].relative_to(root).parts[0]]),
            video.frames,
            video.ts_ms,
            path=str(paths[name]),
            group=groups[name],
        )
        for name, video in decoded.items()
    ]
    return ClipSet(clips, names, spec, split, loading.clip.rate, skipped)
