# `rnnedgeApp.save(name, text)` for the page: a WebView does not download what a page made itself.
# The person picks where to, so that the app needs no right to the phone's files.
.class Lorg/rnnedge/phone/Saver;
.super Ljava/lang/Object;
.source "Saver.smali"
.implements Ljava/lang/Runnable;

.field private final screen:Lorg/rnnedge/phone/PageActivity;
.field private volatile name:Ljava/lang/String;
.field private volatile text:Ljava/lang/String;

.method constructor <init>(Lorg/rnnedge/phone/PageActivity;)V
    .registers 2
    invoke-direct {p0}, Ljava/lang/Object;-><init>()V
    iput-object p1, p0, Lorg/rnnedge/phone/Saver;->screen:Lorg/rnnedge/phone/PageActivity;
    return-void
.end method

# Called on a thread of the WebView's.
.method public save(Ljava/lang/String;Ljava/lang/String;)V
    .registers 4
    .annotation runtime Landroid/webkit/JavascriptInterface;
    .end annotation
    iput-object p1, p0, Lorg/rnnedge/phone/Saver;->name:Ljava/lang/String;
    iput-object p2, p0, Lorg/rnnedge/phone/Saver;->text:Ljava/lang/String;
    iget-object v0, p0, Lorg/rnnedge/phone/Saver;->screen:Lorg/rnnedge/phone/PageActivity;
    invoke-virtual {v0, p0}, Landroid/app/Activity;->runOnUiThread(Ljava/lang/Runnable;)V
    return-void
.end method

.method public run()V
    .registers 5
    iget-object v0, p0, Lorg/rnnedge/phone/Saver;->screen:Lorg/rnnedge/phone/PageActivity;
    iget-object v1, p0, Lorg/rnnedge/phone/Saver;->text:Ljava/lang/String;
    iput-object v1, v0, Lorg/rnnedge/phone/PageActivity;->saving:Ljava/lang/String;
    new-instance v1, Landroid/content/Intent;
    const-string v2, "android.intent.action.CREATE_DOCUMENT"
    invoke-direct {v1, v2}, Landroid/content/Intent;-><init>(Ljava/lang/String;)V
    const-string v2, "android.intent.category.OPENABLE"
    invoke-virtual {v1, v2}, Landroid/content/Intent;->addCategory(Ljava/lang/String;)Landroid/content/Intent;
    const-string v2, "application/octet-stream"
    invoke-virtual {v1, v2}, Landroid/content/Intent;->setType(Ljava/lang/String;)Landroid/content/Intent;
    const-string v2, "android.intent.extra.TITLE"
    iget-object v3, p0, Lorg/rnnedge/phone/Saver;->name:Ljava/lang/String;
    invoke-virtual {v1, v2, v3}, Landroid/content/Intent;->putExtra(Ljava/lang/String;Ljava/lang/String;)Landroid/content/Intent;
    const/4 v2, 0x3
    :try_start
    invoke-virtual {v0, v1, v2}, Landroid/app/Activity;->startActivityForResult(Landroid/content/Intent;I)V
    :try_end
    .catch Landroid/content/ActivityNotFoundException; {:try_start .. :try_end} :none
    return-void
    :none
    move-exception v1
    const/4 v1, 0x0
    iput-object v1, v0, Lorg/rnnedge/phone/PageActivity;->saving:Ljava/lang/String;
    return-void
.end method
