"""The APK itself: signature, alignment, manifest; and its code, run after a translation for this computer's Java."""

import shutil
import subprocess
import zipfile
from pathlib import Path

import android_stand_ins
import pytest

from rnnedge.deploy.phone import android_tools, built
from rnnedge.deploy.phone.apk import AppFacts, write_apk
from rnnedge.deploy.phone.keystore import Keystore
from rnnedge_device.errors import InputError

TOOLS = all(map(shutil.which, android_tools.PACKAGES)) and android_tools.FRAMEWORK.is_file()
SITE = {"index.html": b"<p>page", "sw.js": b"// worker\n", "assets/page-1.js": b"1"}


@pytest.mark.skipif(not TOOLS, reason="needs aapt, zipalign, apksigner, keytool and android-framework-res")
def test_an_apk_is_signed_aligned_and_asks_for_the_camera_only(tmp_path):
    try:
        built.built_app()
    except InputError as problem:
        pytest.skip(str(problem))
    key, facts = (
        Keystore.for_debugging(tmp_path / "debug.keystore"),
        AppFacts('It\'s <a> "door"', "org.example.door", 3, "1.2"),
    )
    files = {**SITE, "bundle.rnnedge": bytes(range(256)) * 9}
    write_apk(files, tmp_path / "a.apk", facts, key)
    write_apk(files, tmp_path / "b.apk", facts, key)
    assert (tmp_path / "a.apk").read_bytes() == (tmp_path / "b.apk").read_bytes()
    said = tool("apksigner", "verify", "--verbose", "--min-sdk-version", "24", tmp_path / "a.apk")
    assert "Verified using v2 scheme (APK Signature Scheme v2): true" in said
    tool("zipalign", "-c", "-p", "4", tmp_path / "a.apk")
    badging = tool("aapt", "dump", "badging", tmp_path / "a.apk")
    assert "package: name='org.example.door' versionCode='3' versionName='1.2'" in badging
    assert "sdkVersion:'24'" in badging
    assert "targetSdkVersion:'36'" in badging
    assert [line for line in badging.splitlines() if line.startswith("uses-permission")] == [
        "uses-permission: name='android.permission.CAMERA'"
    ]
    assert "launchable-activity: name='org.rnnedge.phone.PageActivity'" in badging
    assert "application: label='It's <a> \"door\"'" in badging.replace('\\"', '"')
    with zipfile.ZipFile(tmp_path / "a.apk") as packed:
        assert packed.testzip() is None
        assert packed.read("assets/site/bundle.rnnedge") == files["bundle.rnnedge"]
        assert packed.read("classes.dex").startswith(b"dex\n037\0")
        assert packed.getinfo("resources.arsc").compress_type == zipfile.ZIP_STORED
    with pytest.raises(InputError, match="apksigner failed"):
        write_apk(files, tmp_path / "a.apk", facts, Keystore.of(key.path, "wrong password"))
    assert (tmp_path / "a.apk").read_bytes() == (tmp_path / "b.apk").read_bytes()


def tool(*command, env=None):
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
        env=env,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_apps_code_does_what_a_phone_asks_of_it(tmp_path):
    """classes.dex as Java's bytecode, verified by Java, over stand-ins for Android: no phone, but the same code."""
    if not all(map(shutil.which, ("javac", "java", "enjarify", "dexdump"))):
        pytest.skip("needs javac, enjarify and dexdump")
    try:
        code = built.built_app()["classes.dex"]
    except InputError as problem:
        pytest.skip(str(problem))
    (tmp_path / "classes.dex").write_bytes(code)
    assert "Checksum verified" in tool("dexdump", "-c", tmp_path / "classes.dex")
    # The translation loses it: without this annotation the page could not call `save`.
    assert "VISIBILITY_RUNTIME Landroid/webkit/JavascriptInterface;" in tool(
        "dexdump", "-a", tmp_path / "classes.dex"
    )
    # enjarify is a program of the system's Python, not of this one.
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    tool("enjarify", tmp_path / "classes.dex", "-o", tmp_path / "app.jar", env=environment)
    sources = []
    for name in android_stand_ins.CLASSES:
        path = tmp_path / "src" / (name.replace(".", "/") + ".java")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(android_stand_ins.source(name))
        sources.append(path)
    drive = Path(__file__).parent / "Drive.java"
    java = ("-encoding", "UTF-8", "-nowarn", "-d", tmp_path / "out", "-cp", tmp_path / "app.jar")
    # The stand-ins first: the app's classes are of them.
    tool("javac", *java, *sources)
    tool("javac", *java[:-1], f"{tmp_path / 'out'}:{tmp_path / 'app.jar'}", drive)
    said = tool(
        "java",
        "-Xverify:all",
        "-Dfile.encoding=UTF-8",
        "-cp",
        f"{tmp_path / 'out'}:{tmp_path / 'app.jar'}",
        "org.rnnedge.phone.Drive",
    )
    assert said.count("ok ") > 40
