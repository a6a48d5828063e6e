package org.rnnedge.phone;

import android.content.Intent;
import android.net.Uri;
import android.webkit.*;

/** Drives the app's code through what a phone does to it; each check prints a line, the first that fails throws. */
public class Drive {
  static PageActivity screen;
  static WebView web;

  static void check(boolean right, String what) {
    if (!right) throw new AssertionError(what);
    System.out.println("ok " + what);
  }

  static WebResourceRequest request(String url, String method) {
    return new WebResourceRequest() {
      public Uri getUrl() { return new Uri(url); }
      public String getMethod() { return method; }
    };
  }

  static WebResourceResponse get(String url) { return web.pages.shouldInterceptRequest(web, request(url, "GET")); }

  static PermissionRequest ask(String origin, String... what) {
    PermissionRequest request = new PermissionRequest(origin, what);
    web.doors.onPermissionRequest(request);
    return request;
  }

  public static void main(String[] arguments) throws Exception {
    final String home = "https://rnnedge.invalid", video = "android.webkit.resource.VIDEO_CAPTURE";
    screen = new PageActivity();
    screen.assets.files.put("site/index.html", "<p>page");
    for (String end : "js css wasm json webmanifest svg png rnnedge".split(" ")) screen.assets.files.put("site/a." + end, end);
    screen.onCreate(null);
    web = screen.web;
    check(web.url.equals(home + "/index.html"), "the page is loaded from its own origin");
    check((screen.window.flags & 128) != 0, "the screen stays on");
    check(screen.content.fits && screen.content == web.getParent(), "the page keeps out of the system's bars");
    check(!web.settings.set.get("file") && !web.settings.set.get("content") && web.settings.set.get("block"), "no files, no network");
    check(web.settings.set.get("script") && !web.settings.set.get("gesture"), "scripts run, the picture plays");
    check(web.name.equals("rnnedgeApp"), "the page can save");

    check(get(home + "/").status == 200 && get(home + "/?a=b").type.equals("text/html"), "the root is the page");
    String[][] types = {{"js", "text/javascript"}, {"css", "text/css"}, {"wasm", "application/wasm"}, {"json", "application/json"},
        {"webmanifest", "application/manifest+json"}, {"svg", "image/svg+xml"}, {"png", "image/png"}, {"rnnedge", "application/octet-stream"}};
    for (String[] pair : types) {
      WebResourceResponse answer = get(home + "/a." + pair[0]);
      check(answer.status == 200 && answer.type.equals(pair[1]) && new String(answer.data.readAllBytes()).equals(pair[0]), pair[1]);
    }
    check("require-corp".equals(get(home + "/").headers.get("Cross-Origin-Embedder-Policy")), "isolated");
    check(get(home + "/nothing.js").status == 404, "what is not there is not found");
    for (String other : new String[] {"http://rnnedge.invalid/", "https://example.org/", home + ":444/", "https://a@rnnedge.invalid/",
        "https://rnnedge.invalid.example.org/", "file:///data/a", "content://a/b", home + "/../a", home + "/%2e%2e/a", home + "/a/%2e%2e%2fb"})
      check(get(other).status == 403, "refused " + other);
    check(web.pages.shouldInterceptRequest(web, request(home + "/", "POST")).status == 403, "refused POST");
    check(web.pages.shouldOverrideUrlLoading(web, request("https://example.org/", "GET")), "links to elsewhere lead nowhere");
    check(!web.pages.shouldOverrideUrlLoading(web, request(home + "/", "GET")), "links of the page lead on");

    check(ask("https://example.org/", video).denied, "no camera for others");
    check(ask(home + "/", "android.webkit.resource.AUDIO_CAPTURE").denied, "no microphone");
    check(ask(home + "/", video, "android.webkit.resource.AUDIO_CAPTURE").denied, "no camera with a microphone");
    check(screen.log.isEmpty(), "nobody was asked yet");
    PermissionRequest first = ask(home + "/", video);
    check(screen.log.contains("ask android.permission.CAMERA") && first.granted == null, "the person is asked");
    screen.onRequestPermissionsResult(screen.code, new String[] {"android.permission.CAMERA"}, new int[] {-1});
    check(first.denied, "a no is a no");
    PermissionRequest second = ask(home + "/", video);
    screen.onRequestPermissionsResult(screen.code, new String[] {}, new int[] {});
    check(second.denied, "a question that was cut off is a no");
    PermissionRequest third = ask(home + "/", video);
    screen.onRequestPermissionsResult(screen.code, new String[] {"android.permission.CAMERA"}, new int[] {0});
    check(third.granted.length == 1 && third.granted[0].equals(video), "a yes opens the camera");
    screen.onRequestPermissionsResult(screen.code, new String[] {}, new int[] {0});
    PermissionRequest gone = ask(home + "/", video);
    web.doors.onPermissionRequestCanceled(gone);
    screen.onRequestPermissionsResult(screen.code, new String[] {"a"}, new int[] {0});
    check(gone.granted == null, "a request that was taken back gets no answer");
    screen.camera = 0;
    check(ask(home + "/", video).granted != null, "the second time nobody is asked");

    Uri[][] picked = new Uri[2][];
    boolean[] called = new boolean[2];
    ValueCallback<Uri[]> one = value -> { picked[0] = value; called[0] = true; };
    ValueCallback<Uri[]> two = value -> { picked[1] = value; called[1] = true; };
    check(web.doors.onShowFileChooser(web, one, null) && screen.started.type.equals("*/*"), "a file can be picked");
    check(web.doors.onShowFileChooser(web, two, null) && called[0] && picked[0] == null, "one picker at a time");
    Intent data = new Intent("");
    data.data = new Uri("content://files/7");
    screen.onActivityResult(screen.code, -1, data);
    check(called[1] && picked[1][0] == data.data, "the page gets the file");
    screen.onActivityResult(screen.code, -1, data);
    screen.nobody = true;
    check(!web.doors.onShowFileChooser(web, one, null), "a phone without a picker");
    ((Saver) web.app).save("a.jsonl", "lost");
    screen.onActivityResult(3, -1, data);
    check(screen.resolver.written.size() == 0, "nothing is written where nothing could be asked");
    screen.nobody = false;

    ((Saver) web.app).save("a.jsonl", "line 中\n");
    check(screen.started.action.endsWith("CREATE_DOCUMENT") && screen.started.title.equals("a.jsonl"), "the person picks where to");
    screen.onActivityResult(screen.code, 0, null);
    check(screen.resolver.written.size() == 0, "nothing is written where nothing was picked");
    ((Saver) web.app).save("a.jsonl", "line 中\n");
    screen.onActivityResult(screen.code, -1, data);
    check(screen.resolver.written.toString("UTF-8").equals("line 中\n"), "the log is written");
    ((Saver) web.app).save("a.jsonl", "more");
    screen.resolver.full = true;
    screen.onActivityResult(screen.code, -1, data);
    check(android.widget.Toast.said.contains("full"), "what fails is told");

    screen.onPause();
    screen.onResume();
    check(web.pages.onRenderProcessGone(web, null) && screen.log.contains("recreate"), "a dead page begins anew");
    screen.onDestroy();
    check(web.destroyed && screen.log.contains("destroy"), "nothing is left behind");
  }
}
