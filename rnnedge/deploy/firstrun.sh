# The first boot of a card, as root, without a network: systemd.run= in cmdline.txt starts it, and the machine is
# restarted after it. What it says goes to the boot partition, where any computer can read it. A boot that was cut is
# tried again, three times in all; a package that is refused is not.
BOOT=$(dirname "$(readlink -f "$0")")
STATE=$BOOT/rnnedge
SAID=$BOOT/rnnedge-firstrun.log

first_run() {
  exec >>"$SAID" 2>&1
  tries=$(($(cat "$STATE/tries" 2>/dev/null || echo 0) + 1))
  echo "$(date '+%F %T') first run, try $tries"
  echo "$tries" >"$STATE/tries"
  sync
  if [ "$tries" -gt 3 ]; then
    echo "failed: it was cut three times; cmdline.txt is as it was, the package is still in $STATE"
  elif (first_install); then
    echo "done: $(dpkg-query --show --showformat='${Package} ${Version}' rnnedge)"
    rm -rf "$STATE"
  else
    echo "failed: the package is still in $STATE"
  fi
  # Ours and nothing else: the partition's name in it may have changed since it was written.
  line=''
  for word in $(cat "$BOOT/cmdline.txt"); do
    case " $WORDS " in *" $word "*) ;; *) line="$line${line:+ }$word" ;; esac
  done
  echo "$line" >"$BOOT/cmdline.new"
  sync
  mv "$BOOT/cmdline.new" "$BOOT/cmdline.txt"
  sync
}

first_install() {
  mkdir -p "$CACHE"
  chmod 700 "$CACHE"
  # A copy on the root partition, where a later rollback finds it, and where dpkg may read it slowly.
  for file in "$STATE"/*.deb "$STATE"/*.toml; do
    [ ! -f "$file" ] || cp "$file" "$CACHE/"
  done
  holds "$CACHE/$PACKAGE" "$DIGEST" || fail "$PACKAGE on the card is damaged: its SHA-256 is another"
  # The service starts with the boot that follows. Now it would wait for a network, and be stopped again at once.
  export SYSTEMD_OFFLINE=1
  install "$PACKAGE" ${SETTINGS:+"$SETTINGS"}
  selftest
}

first_run </dev/null
# Success whatever came of it, so that systemd restarts the machine, and runs what else cmdline.txt has for it.
exit 0
