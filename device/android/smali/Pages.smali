# Answers every request of the page from the app's assets, and refuses all others: the app has no network.
.class Lorg/rnnedge/phone/Pages;
.super Landroid/webkit/WebViewClient;
.source "Pages.smali"

.field private final assets:Landroid/content/res/AssetManager;

.method constructor <init>(Landroid/content/res/AssetManager;)V
    .registers 2
    invoke-direct {p0}, Landroid/webkit/WebViewClient;-><init>()V
    iput-object p1, p0, Lorg/rnnedge/phone/Pages;->assets:Landroid/content/res/AssetManager;
    return-void
.end method

# Is `uri` the page's own origin? https://rnnedge.invalid without a port: a name that no server can ever have.
.method static own(Landroid/net/Uri;)Z
    .registers 3
    invoke-virtual {p0}, Landroid/net/Uri;->getScheme()Ljava/lang/String;
    move-result-object v0
    const-string v1, "https"
    invoke-virtual {v1, v0}, Ljava/lang/String;->equals(Ljava/lang/Object;)Z
    move-result v0
    if-eqz v0, :no
    # The authority, not the host: it has a port and a user name in it where there are any.
    invoke-virtual {p0}, Landroid/net/Uri;->getEncodedAuthority()Ljava/lang/String;
    move-result-object v0
    const-string v1, "rnnedge.invalid"
    invoke-virtual {v1, v0}, Ljava/lang/String;->equals(Ljava/lang/Object;)Z
    move-result v0
    return v0
    :no
    const/4 v0, 0x0
    return v0
.end method

# A link to elsewhere leads nowhere.
.method public shouldOverrideUrlLoading(Landroid/webkit/WebView;Landroid/webkit/WebResourceRequest;)Z
    .registers 4
    invoke-interface {p2}, Landroid/webkit/WebResourceRequest;->getUrl()Landroid/net/Uri;
    move-result-object v0
    invoke-static {v0}, Lorg/rnnedge/phone/Pages;->own(Landroid/net/Uri;)Z
    move-result v0
    xor-int/lit8 v0, v0, 0x1
    return v0
.end method

.method public shouldInterceptRequest(Landroid/webkit/WebView;Landroid/webkit/WebResourceRequest;)Landroid/webkit/WebResourceResponse;
    .registers 8
    invoke-interface {p2}, Landroid/webkit/WebResourceRequest;->getUrl()Landroid/net/Uri;
    move-result-object v0
    invoke-static {v0}, Lorg/rnnedge/phone/Pages;->own(Landroid/net/Uri;)Z
    move-result v1
    if-eqz v1, :refuse
    invoke-interface {p2}, Landroid/webkit/WebResourceRequest;->getMethod()Ljava/lang/String;
    move-result-object v1
    const-string v2, "GET"
    invoke-virtual {v2, v1}, Ljava/lang/String;->equals(Ljava/lang/Object;)Z
    move-result v1
    if-eqz v1, :refuse
    invoke-virtual {v0}, Landroid/net/Uri;->getPath()Ljava/lang/String;
    move-result-object v0
    if-eqz v0, :refuse
    const-string v1, ".."
    invoke-virtual {v0, v1}, Ljava/lang/String;->contains(Ljava/lang/CharSequence;)Z
    move-result v1
    if-nez v1, :refuse
    const-string v1, "/"
    invoke-virtual {v0, v1}, Ljava/lang/String;->equals(Ljava/lang/Object;)Z
    move-result v1
    if-eqz v1, :open
    const-string v0, "/index.html"
    :open
    const-string v1, "site"
    invoke-virtual {v1, v0}, Ljava/lang/String;->concat(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v1
    :try_start
    iget-object v2, p0, Lorg/rnnedge/phone/Pages;->assets:Landroid/content/res/AssetManager;
    invoke-virtual {v2, v1}, Landroid/content/res/AssetManager;->open(Ljava/lang/String;)Ljava/io/InputStream;
    move-result-object v1
    :try_end
    .catch Ljava/io/IOException; {:try_start .. :try_end} :missing
    invoke-static {v0}, Lorg/rnnedge/phone/Pages;->type(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v2
    const/16 v3, 0xc8
    const-string v4, "OK"
    invoke-static {v2, v3, v4, v1}, Lorg/rnnedge/phone/Pages;->answer(Ljava/lang/String;ILjava/lang/String;Ljava/io/InputStream;)Landroid/webkit/WebResourceResponse;
    move-result-object v0
    return-object v0

    :missing
    move-exception v0
    const/16 v0, 0x194
    const-string v1, "Not Found"
    goto :nothing
    :refuse
    const/16 v0, 0x193
    const-string v1, "Forbidden"
    :nothing
    const/4 v2, 0x0
    new-array v2, v2, [B
    new-instance v3, Ljava/io/ByteArrayInputStream;
    invoke-direct {v3, v2}, Ljava/io/ByteArrayInputStream;-><init>([B)V
    const-string v2, "text/plain"
    invoke-static {v2, v0, v1, v3}, Lorg/rnnedge/phone/Pages;->answer(Ljava/lang/String;ILjava/lang/String;Ljava/io/InputStream;)Landroid/webkit/WebResourceResponse;
    move-result-object v0
    return-object v0
.end method

.method private static answer(Ljava/lang/String;ILjava/lang/String;Ljava/io/InputStream;)Landroid/webkit/WebResourceResponse;
    .registers 14
    new-instance v5, Ljava/util/HashMap;
    invoke-direct {v5}, Ljava/util/HashMap;-><init>()V
    const-string v0, "Cross-Origin-Opener-Policy"
    const-string v1, "same-origin"
    invoke-virtual {v5, v0, v1}, Ljava/util/HashMap;->put(Ljava/lang/Object;Ljava/lang/Object;)Ljava/lang/Object;
    const-string v0, "Cross-Origin-Resource-Policy"
    invoke-virtual {v5, v0, v1}, Ljava/util/HashMap;->put(Ljava/lang/Object;Ljava/lang/Object;)Ljava/lang/Object;
    const-string v0, "Cross-Origin-Embedder-Policy"
    const-string v1, "require-corp"
    invoke-virtual {v5, v0, v1}, Ljava/util/HashMap;->put(Ljava/lang/Object;Ljava/lang/Object;)Ljava/lang/Object;
    const-string v0, "X-Content-Type-Options"
    const-string v1, "nosniff"
    invoke-virtual {v5, v0, v1}, Ljava/util/HashMap;->put(Ljava/lang/Object;Ljava/lang/Object;)Ljava/lang/Object;
    # The files change with the app: nothing is kept from the one before.
    const-string v0, "Cache-Control"
    const-string v1, "no-store"
    invoke-virtual {v5, v0, v1}, Ljava/util/HashMap;->put(Ljava/lang/Object;Ljava/lang/Object;)Ljava/lang/Object;
    new-instance v0, Landroid/webkit/WebResourceResponse;
    move-object v1, p0
    const-string v2, "utf-8"
    move v3, p1
    move-object v4, p2
    move-object v6, p3
    invoke-direct/range {v0 .. v6}, Landroid/webkit/WebResourceResponse;-><init>(Ljava/lang/String;Ljava/lang/String;ILjava/lang/String;Ljava/util/Map;Ljava/io/InputStream;)V
    return-object v0
.end method

# The media type by the end of a file's name.
.method static type(Ljava/lang/String;)Ljava/lang/String;
    .registers 5
    const/16 v0, 0x2e
    invoke-virtual {p0, v0}, Ljava/lang/String;->lastIndexOf(I)I
    move-result v0
    if-ltz v0, :other
    invoke-virtual {p0, v0}, Ljava/lang/String;->substring(I)Ljava/lang/String;
    move-result-object v0
    const-string v1, " .html text/html .js text/javascript .mjs text/javascript .css text/css .wasm application/wasm .json application/json .webmanifest application/manifest+json .svg image/svg+xml .png image/png .txt text/plain "
    const-string v2, " "
    invoke-virtual {v2, v0}, Ljava/lang/String;->concat(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    invoke-virtual {v0, v2}, Ljava/lang/String;->concat(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    invoke-virtual {v1, v0}, Ljava/lang/String;->indexOf(Ljava/lang/String;)I
    move-result v3
    if-ltz v3, :other
    invoke-virtual {v0}, Ljava/lang/String;->length()I
    move-result v0
    add-int/2addr v0, v3
    invoke-virtual {v1, v2, v0}, Ljava/lang/String;->indexOf(Ljava/lang/String;I)I
    move-result v3
    invoke-virtual {v1, v0, v3}, Ljava/lang/String;->substring(II)Ljava/lang/String;
    move-result-object v0
    return-object v0
    :other
    const-string v0, "application/octet-stream"
    return-object v0
.end method

# The page's process died (memory, mostly): begin anew instead of ending the app with it.
.method public onRenderProcessGone(Landroid/webkit/WebView;Landroid/webkit/RenderProcessGoneDetail;)Z
    .registers 4
    invoke-virtual {p1}, Landroid/view/View;->getContext()Landroid/content/Context;
    move-result-object v0
    check-cast v0, Landroid/app/Activity;
    invoke-virtual {v0}, Landroid/app/Activity;->recreate()V
    const/4 v0, 0x1
    return v0
.end method
