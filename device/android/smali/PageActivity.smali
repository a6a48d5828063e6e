# The app's one screen: a WebView that shows the page at its own origin and can reach nothing else.
#
# fields: web      the WebView
#         asked    the page's request for the camera while Android asks the person, else null
#         picking  the page's request for a file while the person picks one, else null
#         saving   the text to write while the person picks where to, else null
.class public Lorg/rnnedge/phone/PageActivity;
.super Landroid/app/Activity;
.source "PageActivity.smali"

.field public static final CAMERA:I = 0x1
.field public static final PICK:I = 0x2
.field public static final SAVE:I = 0x3

.field web:Landroid/webkit/WebView;
.field asked:Landroid/webkit/PermissionRequest;
.field picking:Landroid/webkit/ValueCallback;
.field saving:Ljava/lang/String;

.method public constructor <init>()V
    .registers 1
    invoke-direct {p0}, Landroid/app/Activity;-><init>()V
    return-void
.end method

.method protected onCreate(Landroid/os/Bundle;)V
    .registers 6
    invoke-super {p0, p1}, Landroid/app/Activity;->onCreate(Landroid/os/Bundle;)V

    # FLAG_KEEP_SCREEN_ON: who watches does not touch the screen.
    invoke-virtual {p0}, Lorg/rnnedge/phone/PageActivity;->getWindow()Landroid/view/Window;
    move-result-object v0
    const/16 v1, 0x80
    invoke-virtual {v0, v1}, Landroid/view/Window;->addFlags(I)V

    new-instance v0, Landroid/webkit/WebView;
    invoke-direct {v0, p0}, Landroid/webkit/WebView;-><init>(Landroid/content/Context;)V
    iput-object v0, p0, Lorg/rnnedge/phone/PageActivity;->web:Landroid/webkit/WebView;

    invoke-virtual {v0}, Landroid/webkit/WebView;->getSettings()Landroid/webkit/WebSettings;
    move-result-object v1
    const/4 v2, 0x1
    invoke-virtual {v1, v2}, Landroid/webkit/WebSettings;->setJavaScriptEnabled(Z)V
    invoke-virtual {v1, v2}, Landroid/webkit/WebSettings;->setDomStorageEnabled(Z)V
    invoke-virtual {v1, v2}, Landroid/webkit/WebSettings;->setBlockNetworkLoads(Z)V
    const/4 v2, 0x0
    invoke-virtual {v1, v2}, Landroid/webkit/WebSettings;->setAllowFileAccess(Z)V
    invoke-virtual {v1, v2}, Landroid/webkit/WebSettings;->setAllowContentAccess(Z)V
    invoke-virtual {v1, v2}, Landroid/webkit/WebSettings;->setMediaPlaybackRequiresUserGesture(Z)V

    new-instance v1, Lorg/rnnedge/phone/Pages;
    invoke-virtual {p0}, Lorg/rnnedge/phone/PageActivity;->getAssets()Landroid/content/res/AssetManager;
    move-result-object v2
    invoke-direct {v1, v2}, Lorg/rnnedge/phone/Pages;-><init>(Landroid/content/res/AssetManager;)V
    invoke-virtual {v0, v1}, Landroid/webkit/WebView;->setWebViewClient(Landroid/webkit/WebViewClient;)V

    new-instance v1, Lorg/rnnedge/phone/Doors;
    invoke-direct {v1, p0}, Lorg/rnnedge/phone/Doors;-><init>(Lorg/rnnedge/phone/PageActivity;)V
    invoke-virtual {v0, v1}, Landroid/webkit/WebView;->setWebChromeClient(Landroid/webkit/WebChromeClient;)V

    new-instance v1, Lorg/rnnedge/phone/Saver;
    invoke-direct {v1, p0}, Lorg/rnnedge/phone/Saver;-><init>(Lorg/rnnedge/phone/PageActivity;)V
    const-string v2, "rnnedgeApp"
    invoke-virtual {v0, v1, v2}, Landroid/webkit/WebView;->addJavascriptInterface(Ljava/lang/Object;Ljava/lang/String;)V

    # Apps for Android 15 and later draw under the bars of the system: the frame keeps the page out of them.
    new-instance v1, Landroid/widget/FrameLayout;
    invoke-direct {v1, p0}, Landroid/widget/FrameLayout;-><init>(Landroid/content/Context;)V
    const/4 v2, 0x1
    invoke-virtual {v1, v2}, Landroid/view/View;->setFitsSystemWindows(Z)V
    invoke-virtual {v1, v0}, Landroid/view/ViewGroup;->addView(Landroid/view/View;)V
    invoke-virtual {p0, v1}, Lorg/rnnedge/phone/PageActivity;->setContentView(Landroid/view/View;)V

    const-string v1, "https://rnnedge.invalid/index.html"
    invoke-virtual {v0, v1}, Landroid/webkit/WebView;->loadUrl(Ljava/lang/String;)V
    return-void
.end method

# The page hears that it is hidden and lets go of the camera.
.method protected onPause()V
    .registers 2
    iget-object v0, p0, Lorg/rnnedge/phone/PageActivity;->web:Landroid/webkit/WebView;
    invoke-virtual {v0}, Landroid/webkit/WebView;->onPause()V
    invoke-super {p0}, Landroid/app/Activity;->onPause()V
    return-void
.end method

.method protected onResume()V
    .registers 2
    invoke-super {p0}, Landroid/app/Activity;->onResume()V
    iget-object v0, p0, Lorg/rnnedge/phone/PageActivity;->web:Landroid/webkit/WebView;
    invoke-virtual {v0}, Landroid/webkit/WebView;->onResume()V
    return-void
.end method

.method protected onDestroy()V
    .registers 3
    iget-object v0, p0, Lorg/rnnedge/phone/PageActivity;->web:Landroid/webkit/WebView;
    invoke-virtual {v0}, Landroid/view/View;->getParent()Landroid/view/ViewParent;
    move-result-object v1
    check-cast v1, Landroid/view/ViewGroup;
    if-eqz v1, :destroy
    invoke-virtual {v1, v0}, Landroid/view/ViewGroup;->removeView(Landroid/view/View;)V
    :destroy
    invoke-virtual {v0}, Landroid/webkit/WebView;->destroy()V
    invoke-super {p0}, Landroid/app/Activity;->onDestroy()V
    return-void
.end method

# What the person said about the camera.
.method public onRequestPermissionsResult(I[Ljava/lang/String;[I)V
    .registers 7
    iget-object v0, p0, Lorg/rnnedge/phone/PageActivity;->asked:Landroid/webkit/PermissionRequest;
    if-eqz v0, :done
    const/4 v1, 0x1
    if-ne p1, v1, :done
    const/4 v1, 0x0
    iput-object v1, p0, Lorg/rnnedge/phone/PageActivity;->asked:Landroid/webkit/PermissionRequest;
    # An empty array: the question was cut off.
    array-length v1, p3
    if-eqz v1, :deny
    const/4 v1, 0x0
    aget v1, p3, v1
    if-nez v1, :deny
    invoke-static {v0}, Lorg/rnnedge/phone/Doors;->open(Landroid/webkit/PermissionRequest;)V
    return-void
    :deny
    invoke-virtual {v0}, Landroid/webkit/PermissionRequest;->deny()V
    :done
    return-void
.end method

# What the person picked: a bundle to load, or a place for the log.
.method protected onActivityResult(IILandroid/content/Intent;)V
    .registers 7
    const/4 v0, 0x2
    if-ne p1, v0, :save
    iget-object v0, p0, Lorg/rnnedge/phone/PageActivity;->picking:Landroid/webkit/ValueCallback;
    if-eqz v0, :done
    const/4 v1, 0x0
    iput-object v1, p0, Lorg/rnnedge/phone/PageActivity;->picking:Landroid/webkit/ValueCallback;
    # null where nothing was picked
    invoke-static {p2, p3}, Landroid/webkit/WebChromeClient$FileChooserParams;->parseResult(ILandroid/content/Intent;)[Landroid/net/Uri;
    move-result-object v1
    invoke-interface {v0, v1}, Landroid/webkit/ValueCallback;->onReceiveValue(Ljava/lang/Object;)V
    return-void

    :save
    const/4 v0, 0x3
    if-ne p1, v0, :done
    iget-object v0, p0, Lorg/rnnedge/phone/PageActivity;->saving:Ljava/lang/String;
    const/4 v1, 0x0
    iput-object v1, p0, Lorg/rnnedge/phone/PageActivity;->saving:Ljava/lang/String;
    if-eqz v0, :done
    # RESULT_OK
    const/4 v1, -0x1
    if-ne p2, v1, :done
    if-eqz p3, :done
    invoke-virtual {p3}, Landroid/content/Intent;->getData()Landroid/net/Uri;
    move-result-object v1
    if-eqz v1, :done
    invoke-direct {p0, v1, v0}, Lorg/rnnedge/phone/PageActivity;->write(Landroid/net/Uri;Ljava/lang/String;)V
    :done
    return-void
.end method

# Write `text` as UTF-8 to `uri`; what fails is told on the screen.
.method private write(Landroid/net/Uri;Ljava/lang/String;)V
    .registers 6
    :try_start
    invoke-virtual {p0}, Lorg/rnnedge/phone/PageActivity;->getContentResolver()Landroid/content/ContentResolver;
    move-result-object v0
    const-string v1, "wt"
    invoke-virtual {v0, p1, v1}, Landroid/content/ContentResolver;->openOutputStream(Landroid/net/Uri;Ljava/lang/String;)Ljava/io/OutputStream;
    move-result-object v0
    if-eqz v0, :done
    const-string v1, "UTF-8"
    invoke-virtual {p2, v1}, Ljava/lang/String;->getBytes(Ljava/lang/String;)[B
    move-result-object v1
    invoke-virtual {v0, v1}, Ljava/io/OutputStream;->write([B)V
    invoke-virtual {v0}, Ljava/io/OutputStream;->close()V
    :try_end
    .catch Ljava/lang/Exception; {:try_start .. :try_end} :failed
    :done
    return-void

    :failed
    move-exception v0
    invoke-virtual {v0}, Ljava/lang/Exception;->toString()Ljava/lang/String;
    move-result-object v0
    const/4 v1, 0x1
    invoke-static {p0, v0, v1}, Landroid/widget/Toast;->makeText(Landroid/content/Context;Ljava/lang/CharSequence;I)Landroid/widget/Toast;
    move-result-object v0
    invoke-virtual {v0}, Landroid/widget/Toast;->show()V
    return-void
.end method
