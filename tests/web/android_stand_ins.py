"""Stand-ins for the few classes of Android that the app calls, in Java, each a body: they keep what they are told.

Their signatures are those of the platform; they let the app's own code run on a computer, and its types be verified.
"""

CLASSES = {
    "android.app.Activity": """extends android.content.Context {
      public java.util.List<String> log = new java.util.ArrayList<>();
      public android.view.View content; public android.content.Intent started; public int code; public boolean nobody;
      protected void onCreate(android.os.Bundle state) {} protected void onPause() { log.add("pause"); }
      protected void onResume() { log.add("resume"); } protected void onDestroy() { log.add("destroy"); }
      protected void onActivityResult(int code, int result, android.content.Intent data) {}
      public void onRequestPermissionsResult(int code, String[] names, int[] results) {}
      public void recreate() { log.add("recreate"); }
      public final void requestPermissions(String[] names, int code) { log.add("ask " + names[0]); this.code = code; }
      public final void runOnUiThread(Runnable action) { action.run(); }
      public void startActivityForResult(android.content.Intent intent, int code) {
        if (nobody) throw new android.content.ActivityNotFoundException(); started = intent; this.code = code; }
      public android.view.Window getWindow() { return window; } public android.view.Window window = new
        android.view.Window();
      public void setContentView(android.view.View view) { content = view; } }""",
    "android.content.Context": """{
      public int camera = -1; public android.content.res.AssetManager assets = new android.content.res.AssetManager();
      public android.content.ContentResolver resolver = new android.content.ContentResolver();
      public int checkSelfPermission(String name) { return name.equals("android.permission.CAMERA") ? camera : -1; }
      public android.content.res.AssetManager getAssets() { return assets; }
      public android.content.ContentResolver getContentResolver() { return resolver; } }""",
    "android.content.ActivityNotFoundException": "extends RuntimeException {}",
    "android.content.ContentResolver": """{
      public java.io.ByteArrayOutputStream written = new java.io.ByteArrayOutputStream(); public boolean full;
      public final java.io.OutputStream openOutputStream(android.net.Uri uri, String mode)
          throws java.io.FileNotFoundException { if (full) throw new java.io.FileNotFoundException("full"); return
        written; } }""",
    "android.content.Intent": """{
      public String action, type, title; public android.net.Uri data;
      public Intent(String action) { this.action = action; }
      public Intent addCategory(String name) { return this; } public Intent setType(String type) { this.type =
        type; return this; }
      public Intent putExtra(String name, String value) { title = value; return this; }
      public android.net.Uri getData() { return data; } }""",
    "android.content.res.AssetManager": """{
      public java.util.Map<String, String> files = new java.util.HashMap<>();
      public java.io.InputStream open(String name) throws java.io.IOException {
        if (!files.containsKey(name)) throw new java.io.FileNotFoundException(name);
        return new java.io.ByteArrayInputStream(files.get(name).getBytes()); } }""",
    "android.net.Uri": """{
      private final java.net.URI uri; public Uri(String text) { uri = java.net.URI.create(text); }
      public String getScheme() { return uri.getScheme(); } public String getPath() { return uri.getPath(); }
      public String getEncodedAuthority() { return uri.getRawAuthority(); } }""",
    "android.os.Bundle": "{}",
    "android.view.View": """{
      public ViewGroup parent; public android.content.Context context; public boolean fits;
      public View(android.content.Context context) { this.context = context; }
      public final android.content.Context getContext() { return context; }
      public final ViewParent getParent() { return parent; } public void setFitsSystemWindows(boolean on) { fits =
        on; } }""",
    "android.view.ViewGroup": """extends View implements ViewParent {
      public java.util.List<View> children = new java.util.ArrayList<>();
      public ViewGroup(android.content.Context context) { super(context); }
      public void addView(View child) { children.add(child); child.parent = this; }
      public void removeView(View child) { children.remove(child); child.parent = null; } }""",
    "android.view.ViewParent": "interface {}",
    "android.view.Window": "{ public int flags; public void addFlags(int more) { flags |= more; } }",
    "android.webkit.JavascriptInterface": "@interface {}",
    "android.webkit.PermissionRequest": """{
      public android.net.Uri origin; public String[] wanted, granted; public boolean denied;
      public PermissionRequest(String origin, String... wanted) { this.origin = new android.net.Uri(origin);
        this.wanted = wanted; }
      public android.net.Uri getOrigin() { return origin; } public String[] getResources() { return wanted; }
      public void grant(String[] names) { granted = names; } public void deny() { denied = true; } }""",
    "android.webkit.RenderProcessGoneDetail": "{}",
    "android.webkit.ValueCallback": "interface<T> { void onReceiveValue(T value); }",
    "android.webkit.WebChromeClient": """{
      public void onPermissionRequest(PermissionRequest request) {} public void
        onPermissionRequestCanceled(PermissionRequest r) {}
      public boolean onShowFileChooser(WebView v, ValueCallback<android.net.Uri[]> c, FileChooserParams p) { return
        false; }
      public static abstract class FileChooserParams {
        public static android.net.Uri[] parseResult(int result, android.content.Intent data) {
          return result == -1 && data != null ? new android.net.Uri[] {data.getData()} : null; } } }""",
    "android.webkit.WebResourceRequest": "interface { android.net.Uri getUrl(); String getMethod(); }",
    "android.webkit.WebResourceResponse": """{
      public String type; public int status; public java.util.Map<String, String> headers; public
        java.io.InputStream data;
      public WebResourceResponse(String type, String encoding, int status, String reason,
          java.util.Map<String, String> headers, java.io.InputStream data) {
        this.type = type; this.status = status; this.headers = headers; this.data = data; } }""",
    "android.webkit.WebSettings": """{
      public java.util.Map<String, Boolean> set = new java.util.HashMap<>();
      public void setJavaScriptEnabled(boolean on) { set.put("script", on); }
      public void setDomStorageEnabled(boolean on) { set.put("storage", on); }
      public void setBlockNetworkLoads(boolean on) { set.put("block", on); }
      public void setAllowFileAccess(boolean on) { set.put("file", on); }
      public void setAllowContentAccess(boolean on) { set.put("content", on); }
      public void setMediaPlaybackRequiresUserGesture(boolean on) { set.put("gesture", on); } }""",
    "android.webkit.WebView": """extends android.view.ViewGroup {
      public WebSettings settings = new WebSettings(); public WebViewClient pages; public WebChromeClient doors;
      public Object app; public String name, url; public boolean destroyed;
      public WebView(android.content.Context context) { super(context); }
      public WebSettings getSettings() { return settings; } public void loadUrl(String url) { this.url = url; }
      public void setWebViewClient(WebViewClient client) { pages = client; }
      public void setWebChromeClient(WebChromeClient client) { doors = client; }
      public void addJavascriptInterface(Object object, String name) { app = object; this.name = name; }
      public void onPause() {} public void onResume() {} public void destroy() { destroyed = parent == null; } }""",
    "android.webkit.WebViewClient": """{
      public boolean shouldOverrideUrlLoading(WebView view, WebResourceRequest request) { return false; }
      public WebResourceResponse shouldInterceptRequest(WebView view, WebResourceRequest request) { return null; }
      public boolean onRenderProcessGone(WebView view, RenderProcessGoneDetail detail) { return false; } }""",
    "android.widget.FrameLayout": """extends android.view.ViewGroup {
      public FrameLayout(android.content.Context context) { super(context); } }""",
    "android.widget.Toast": """{
      public static String said; public void show() {}
      public static Toast makeText(android.content.Context c, CharSequence text, int how) { said = text.toString();
        return new Toast(); } }""",
}


def source(name: str) -> str:
    """The Java source of a stand-in."""
    package, _, simple = name.rpartition(".")
    body = CLASSES[name]
    kind = "class"
    for other in ("@interface", "interface"):
        if body.startswith(other):
            kind, body = other, body.removeprefix(other)
            break
    kept = (
        "@java.lang.annotation.Retention(java.lang.annotation.RetentionPolicy.RUNTIME) "
        if kind == "@interface"
        else ""
    )
    return f"package {package};\n{kept}public {kind} {simple}{body if body.startswith('<') else ' ' + body}\n"
