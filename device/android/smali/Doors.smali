# What the page may ask the phone for: the camera, and a file that the person picks.
.class Lorg/rnnedge/phone/Doors;
.super Landroid/webkit/WebChromeClient;
.source "Doors.smali"

.field private final screen:Lorg/rnnedge/phone/PageActivity;

.method constructor <init>(Lorg/rnnedge/phone/PageActivity;)V
    .registers 2
    invoke-direct {p0}, Landroid/webkit/WebChromeClient;-><init>()V
    iput-object p1, p0, Lorg/rnnedge/phone/Doors;->screen:Lorg/rnnedge/phone/PageActivity;
    return-void
.end method

# Grant the camera and nothing beside it.
.method static open(Landroid/webkit/PermissionRequest;)V
    .registers 4
    const/4 v0, 0x1
    new-array v0, v0, [Ljava/lang/String;
    const/4 v1, 0x0
    const-string v2, "android.webkit.resource.VIDEO_CAPTURE"
    aput-object v2, v0, v1
    invoke-virtual {p0, v0}, Landroid/webkit/PermissionRequest;->grant([Ljava/lang/String;)V
    return-void
.end method

# The camera for the page's own origin; Android asks the person the first time. Anything else is denied.
.method public onPermissionRequest(Landroid/webkit/PermissionRequest;)V
    .registers 7
    invoke-virtual {p1}, Landroid/webkit/PermissionRequest;->getOrigin()Landroid/net/Uri;
    move-result-object v0
    invoke-static {v0}, Lorg/rnnedge/phone/Pages;->own(Landroid/net/Uri;)Z
    move-result v0
    if-eqz v0, :deny
    invoke-virtual {p1}, Landroid/webkit/PermissionRequest;->getResources()[Ljava/lang/String;
    move-result-object v0
    array-length v1, v0
    const/4 v2, 0x1
    if-ne v1, v2, :deny
    const/4 v1, 0x0
    aget-object v0, v0, v1
    const-string v1, "android.webkit.resource.VIDEO_CAPTURE"
    invoke-virtual {v1, v0}, Ljava/lang/String;->equals(Ljava/lang/Object;)Z
    move-result v0
    if-eqz v0, :deny
    iget-object v0, p0, Lorg/rnnedge/phone/Doors;->screen:Lorg/rnnedge/phone/PageActivity;
    const-string v1, "android.permission.CAMERA"
    invoke-virtual {v0, v1}, Landroid/content/Context;->checkSelfPermission(Ljava/lang/String;)I
    move-result v3
    if-nez v3, :ask
    invoke-static {p1}, Lorg/rnnedge/phone/Doors;->open(Landroid/webkit/PermissionRequest;)V
    return-void

    :ask
    iput-object p1, v0, Lorg/rnnedge/phone/PageActivity;->asked:Landroid/webkit/PermissionRequest;
    new-array v3, v2, [Ljava/lang/String;
    const/4 v4, 0x0
    aput-object v1, v3, v4
    invoke-virtual {v0, v3, v2}, Landroid/app/Activity;->requestPermissions([Ljava/lang/String;I)V
    return-void

    :deny
    invoke-virtual {p1}, Landroid/webkit/PermissionRequest;->deny()V
    return-void
.end method

.method public onPermissionRequestCanceled(Landroid/webkit/PermissionRequest;)V
    .registers 4
    iget-object v0, p0, Lorg/rnnedge/phone/Doors;->screen:Lorg/rnnedge/phone/PageActivity;
    const/4 v1, 0x0
    iput-object v1, v0, Lorg/rnnedge/phone/PageActivity;->asked:Landroid/webkit/PermissionRequest;
    return-void
.end method

# The person picks a file; the page gets that one and no other.
.method public onShowFileChooser(Landroid/webkit/WebView;Landroid/webkit/ValueCallback;Landroid/webkit/WebChromeClient$FileChooserParams;)Z
    .registers 8
    iget-object v0, p0, Lorg/rnnedge/phone/Doors;->screen:Lorg/rnnedge/phone/PageActivity;
    iget-object v1, v0, Lorg/rnnedge/phone/PageActivity;->picking:Landroid/webkit/ValueCallback;
    const/4 v2, 0x0
    if-eqz v1, :pick
    invoke-interface {v1, v2}, Landroid/webkit/ValueCallback;->onReceiveValue(Ljava/lang/Object;)V
    :pick
    iput-object p2, v0, Lorg/rnnedge/phone/PageActivity;->picking:Landroid/webkit/ValueCallback;
    new-instance v1, Landroid/content/Intent;
    const-string v3, "android.intent.action.OPEN_DOCUMENT"
    invoke-direct {v1, v3}, Landroid/content/Intent;-><init>(Ljava/lang/String;)V
    const-string v3, "android.intent.category.OPENABLE"
    invoke-virtual {v1, v3}, Landroid/content/Intent;->addCategory(Ljava/lang/String;)Landroid/content/Intent;
    # No phone knows the type of a bundle.
    const-string v3, "*/*"
    invoke-virtual {v1, v3}, Landroid/content/Intent;->setType(Ljava/lang/String;)Landroid/content/Intent;
    const/4 v3, 0x2
    :try_start
    invoke-virtual {v0, v1, v3}, Landroid/app/Activity;->startActivityForResult(Landroid/content/Intent;I)V
    :try_end
    .catch Landroid/content/ActivityNotFoundException; {:try_start .. :try_end} :none
    const/4 v0, 0x1
    return v0

    :none
    move-exception v1
    iput-object v2, v0, Lorg/rnnedge/phone/PageActivity;->picking:Landroid/webkit/ValueCallback;
    const/4 v0, 0x0
    return v0
.end method
