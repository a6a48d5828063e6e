# The steps of a deployment that run on the device, as root: sh -s -- STEP [ARGUMENT ...] < steps.sh
# Every step may be run again, after a cut at any place; what it has done already it leaves. It fails with one line on
# stderr and exit code 1. Nothing runs before the last line has arrived, the call of main, which the sender adds.
set -eu
umask 022
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin

CACHE=/var/cache/rnnedge
BUNDLES=/var/lib/rnnedge-bundles
CONFIG=/etc/rnnedge/rnnedge.toml

fail() { printf '%s\n' "$*" >&2; exit 1; }

# What the device is. Every value on a line of its own.
facts() {
  ID='' VERSION_CODENAME='' PRETTY_NAME=''
  [ ! -r /etc/os-release ] || . /etc/os-release
  echo "architecture=$(dpkg --print-architecture 2>/dev/null || true)"
  echo "machine=$(uname -m)"
  echo "system=$ID $VERSION_CODENAME"
  echo "system_name=$PRETTY_NAME"
  echo "python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)"
  echo "time=$(date +%s)"
  echo "systemd=$([ ! -d /run/systemd/system ] || echo yes)"
  echo "package=$(dpkg-query --show --showformat='${db:Status-Abbrev}${Version}' rnnedge 2>/dev/null || true)"
  echo "held=$(lock_holder 2>/dev/null || true)"
  for folder in /usr /var/cache /var/lib; do
    echo "space $folder=$(df -P -B1 "$folder" | awk 'NR == 2 { print $6, $4 }')"
  done
}

# The process that holds dpkg's lock, which is a record lock: flock(1) would not see it.
lock_holder() {
  python3 - <<'END'
import fcntl, os, struct
for path in "/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock":
    with open(path, "r+b") as file:
        asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack("hhqqi4x", fcntl.fcntl(file, fcntl.F_GETLK, asked))
    if kind != fcntl.F_UNLCK:
        with open(f"/proc/{pid}/comm") as name:
            print(f"{name.read().strip()} (process {pid})")
        break
END
}

# arriving NAME SHA256: how much of a file is here: "whole", or its bytes and their SHA-256.
arriving() {
  mkdir -p "$CACHE"
  chmod 700 "$CACHE"
  if [ -f "$CACHE/$1" ] && holds "$CACHE/$1" "$2"; then
    echo whole
  elif [ -f "$CACHE/$1.part" ]; then
    echo "$(stat -c %s "$CACHE/$1.part") $(digest "$CACHE/$1.part")"
  else
    echo "0 -"
  fi
}

# arrived NAME SHA256: a file gets its name once it is here, byte for byte.
arrived() {
  if [ -f "$CACHE/$1" ] && holds "$CACHE/$1" "$2"; then return; fi
  if ! holds "$CACHE/$1.part" "$2"; then
    rm -f "$CACHE/$1.part"
    fail "$1 has arrived damaged: its SHA-256 is another"
  fi
  sync "$CACHE/$1.part"
  mv "$CACHE/$1.part" "$CACHE/$1"
  sync "$CACHE"
}

digest() { sha256sum "$1" | cut -c 1-64; }
holds() { [ "$(digest "$1")" = "$2" ]; }

# trial DEB [CONFIG [FORM]]: unpacked beside what runs, does it compute here what the workstation computed? One line of
# JSON. An empty CONFIG is the one that is there.
trial() {
  folder=$CACHE/trial
  rm -rf "$folder"
  trap 'rm -rf "$folder"' EXIT
  mkdir "$folder"
  dpkg-deb --extract "$CACHE/$1" "$folder" 2>"$CACHE/log" || fail "cannot unpack: $(tail -n 1 "$CACHE/log")"
  config=$CONFIG
  [ -z "${2:-}" ] || config=$CACHE/$2
  tried "$folder" "$config" "${3:-}"
}

tried() {
  runtime=$(find "$1/usr/lib/rnnedge/runtimes" -maxdepth 2 -type d -name rnnedge_device | head -n 1)
  [ -n "$runtime" ] || fail "the package has no runner in /usr/lib/rnnedge"
  runtime=$(dirname "$runtime")
  if [ -f "$2" ]; then
    in_runtime "$runtime" -c 'import sys; from rnnedge_device.runner.config import load_config; load_config(sys.argv[1])' \
      "$2" 2>"$CACHE/log" || fail "the config is refused: $(tail -n 1 "$CACHE/log")"
  fi
  key=$(wanted_key "$2")
  # Its answer tells of a test that failed, and why; without one it could not even be run.
  in_runtime "$runtime" -m rnnedge_device "$1/usr/share/rnnedge/bundle.rnnedge" --selftest --json \
    ${3:+--form "$3"} ${key:+--require-signature "$key"} 2>"$CACHE/log" >"$1/answer" || [ -s "$1/answer" ] || fail "self-test failed$(last_line)"
  cat "$1/answer"
}

in_runtime() (
  cd /
  PYTHONPATH=$1 PYTHONDONTWRITEBYTECODE=1
  export PYTHONPATH PYTHONDONTWRITEBYTECODE
  shift
  exec python3 -s -P "$@"
)

last_line() { [ ! -s "$CACHE/log" ] || printf ': %s' "$(tail -n 1 "$CACHE/log")"; }

# The public key that a config asks bundles to be signed with, or nothing.
wanted_key() {
  [ -f "$1" ] || return 0
  python3 -c 'import sys, tomllib
print(tomllib.load(open(sys.argv[1], "rb")).get("runner", {}).get("require_signature", ""))' "$1" 2>/dev/null || true
}

# The .deb in the cache that is the installed package: dpkg's own list of digests tells. Nothing if there is none.
installed_deb() {
  [ "$(dpkg-query --show --showformat='${db:Status-Abbrev}' rnnedge 2>/dev/null)" = "ii " ] || return 0
  for deb in "$CACHE"/*.deb "$CACHE"/before/package.deb; do
    [ -f "$deb" ] || continue
    if dpkg-deb --info "$deb" md5sums 2>/dev/null | cmp -s - /var/lib/dpkg/info/rnnedge.md5sums; then
      echo "$deb"
      return
    fi
  done
}

# snapshot LABEL LINK: package, bundle and config as they are now; LINK leads to them once all is there.
snapshot() {
  folder=$CACHE/kept.$1
  rm -rf "$folder"
  mkdir "$folder"
  deb=$(installed_deb)
  [ -z "$deb" ] || link_or_copy "$deb" "$folder/package.deb"
  [ ! -e "$BUNDLES/current.rnnedge" ] || link_or_copy "$(readlink -f "$BUNDLES/current.rnnedge")" "$folder/bundle.rnnedge"
  [ ! -e "$CONFIG" ] || cp -p "$CONFIG" "$folder/config.toml"
  echo "$1" >"$folder/label"
  sync
  ln -sfn "kept.$1" "$CACHE/$2.new"
  mv -T "$CACHE/$2.new" "$CACHE/$2"
  forget_others
}

link_or_copy() { ln "$1" "$2" 2>/dev/null || cp -p "$1" "$2"; }

forget_others() {
  for kept in "$CACHE"/kept.*; do
    [ -d "$kept" ] || continue
    wanted=''
    for link in before pending next; do
      [ "$kept" != "$(readlink -f "$CACHE/$link")" ] || wanted=yes
    done
    [ -n "$wanted" ] || rm -rf "$kept"
  done
}

# keep TARGET: before a deployment of TARGET, what runs now. Once, however often it is begun anew; it takes the place of
# what was kept before only when the deployment has worked.
keep() {
  rm -f "$CACHE/next"
  [ ! -e "$CACHE/pending/label" ] || return 0
  [ "$(cat "$CACHE/before/label" 2>/dev/null || true)" != "$1" ] || return 0
  snapshot "$1" pending
}

kept() {
  [ -e "$CACHE/pending/label" ] || return 0
  echo "$1" >"$CACHE/pending/label.new"
  mv "$CACHE/pending/label.new" "$CACHE/pending/label"
  mv -T "$CACHE/pending" "$CACHE/before"
  forget_others
}

# install DEB [CONFIG]: the package, then the config if there is one to put in its place.
install() {
  target=${1%.deb}${2:+-${2%.toml}}
  keep "$target"
  install_package "$CACHE/$1"
  place_config "${2:-}"
  # Where the package was there before, with another bundle in its place since.
  cmp -s /usr/share/rnnedge/bundle.rnnedge "$BUNDLES/current.rnnedge" ||
    device_install /usr/share/rnnedge/bundle.rnnedge '' >/dev/null
  kept "$target"
}

place_config() {
  [ -n "$1" ] && ! cmp -s "$CACHE/$1" "$CONFIG" || return 0
  mkdir -p "${CONFIG%/*}"
  cp "$CACHE/$1" "$CONFIG.new"
  # Not everybody's: an address in it may have a password. The service reads it by its group.
  chgrp video "$CONFIG.new"
  chmod 640 "$CONFIG.new"
  sync "$CONFIG.new"
  mv "$CONFIG.new" "$CONFIG"
  restart
}

# restart: for what a service that runs does not see by itself, a config or a form; one that is down stays down.
restart() { [ ! -d /run/systemd/system ] || systemctl try-restart rnnedge.service; }

# With dpkg alone: no network is needed unless the package asks for another one that is missing.
install_package() {
  if [ "$(readlink -f "$(installed_deb)")" = "$1" ]; then return; fi
  # In a session of its own, its output in a file: a link that is cut must not end dpkg half way.
  setsid --wait sh -c '
    dpkg --configure -a
    if ! dpkg-query --show --showformat="\${db:Status-Abbrev}" rnnedge 2>/dev/null | grep -q "^.[HUFR]"; then
      apt-get satisfy --yes --no-install-recommends "$(dpkg-deb --field "$1" Depends)" || exit 1
    fi
    exec dpkg --force-confold --install "$1"
  ' sh "$1" >"$CACHE/log" 2>&1 </dev/null ||
    fail "dpkg: $(sed '/^Errors were encountered/,$d' "$CACHE/log" | tail -n 2 | tr '\n' ' ')(all of it: $CACHE/log)"
}

# install_bundle NAME [FORM]: another model for the package that is there. One line of JSON.
install_bundle() {
  keep "${1%.rnnedge}"
  if ! (device_install "$CACHE/$1" "${2:-}"); then
    rm -f "$CACHE/pending" # it was refused: what was kept before is what a rollback brings back
    forget_others
    exit 1
  fi
  kept "${1%.rnnedge}"
  rm -f "$CACHE/$1"
}

device_install() {
  command -v rnnedge-device >/dev/null || fail "rnnedge is not installed here: deploy without --bundle-only first"
  key=$(wanted_key "$CONFIG")
  set -- "$1" ${2:+--form "$2"} ${key:+--require-signature "$key"}
  rnnedge-device install "$@" 2>"$CACHE/log" || fail "refused, what ran before goes on$(last_line)"
}

# form FORM: run the current bundle in this form.
form() { device_install "$(readlink -f "$BUNDLES/current.rnnedge")" "$1"; }

# current: SHA-256 of the bundle that runs.
current() { digest "$BUNDLES/current.rnnedge" 2>/dev/null || fail "there is no bundle on the device"; }

# packaged: SHA-256 of the bundle that the package has brought.
packaged() { digest /usr/share/rnnedge/bundle.rnnedge; }

selftest() {
  answer=$(rnnedge-run "$BUNDLES/current.rnnedge" --selftest --json 2>"$CACHE/log") || [ -n "$answer" ] ||
    fail "self-test failed$(last_line)"
  echo "$answer"
}

# start: returns when the service says that it runs.
start() {
  [ -d /run/systemd/system ] || { echo "no systemd"; return; }
  systemctl start rnnedge.service 2>"$CACHE/log" || fail "the service does not start: $(
    journalctl --unit=rnnedge.service --output=cat --no-pager --lines=3 | tr '\n' ' ')"
  systemctl is-active rnnedge.service
}

# taken SINCE BUNDLE: has the running service gone over to a bundle (the first 12 digits of its SHA-256)? Its own line
# about it, nothing if it was started since or does not run.
taken() {
  [ -d /run/systemd/system ] && systemctl --quiet is-active rnnedge.service || return 0
  began=$(systemctl show --property=ActiveEnterTimestamp --value rnnedge.service)
  [ "$(date --date="$began" +%s)" -lt "$1" ] || return 0
  tries=60
  until said "$1" | grep -E '"health": "(swapped|refused|rolled_back)"' | grep -m 1 "($2)"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || fail "the running service has not taken the new bundle within a minute"
    sleep 1
  done
}

# events SINCE SECONDS: the first three events of the service since then; without one, the last line it has said.
events() {
  [ -d /run/systemd/system ] || return 0
  tries=$2
  until said "$1" | grep -m 3 '"label"'; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { said "$1" | tail -n 1; return; }
    sleep 1
  done
}

said() { journalctl --unit=rnnedge.service --output=cat --no-pager --since="@$1" 2>/dev/null || true; }

# rollback: package, bundle and config as they were before the last deployment; once more brings the newer ones back.
rollback() {
  # After a deployment that was cut: what ran before that one.
  [ ! -e "$CACHE/pending/label" ] || mv -T "$CACHE/pending" "$CACHE/before"
  [ -e "$CACHE/before/label" ] || fail "nothing is kept here from before a deployment"
  [ -e "$CACHE/before/package.deb" ] || [ -e "$CACHE/before/bundle.rnnedge" ] ||
    fail "nothing ran here before the last deployment: there is nothing to go back to"
  [ -e "$CACHE/next/label" ] || snapshot "back-$(date +%s)" next
  other_config=''
  if [ -e "$CACHE/before/config.toml" ] && ! cmp -s "$CACHE/before/config.toml" "$CONFIG"; then
    cp -p "$CACHE/before/config.toml" "$CONFIG.new"
    mv "$CONFIG.new" "$CONFIG"
    other_config=yes
  fi
  if [ -e "$CACHE/before/package.deb" ]; then
    package=$CACHE/$(digest "$CACHE/before/package.deb" | cut -c 1-16).deb
    [ -e "$package" ] || link_or_copy "$CACHE/before/package.deb" "$package"
    install_package "$package"
  fi
  if [ -e "$CACHE/before/bundle.rnnedge" ] && ! cmp -s "$CACHE/before/bundle.rnnedge" "$BUNDLES/current.rnnedge"; then
    device_install "$CACHE/before/bundle.rnnedge" '' >/dev/null
  fi
  [ -z "$other_config" ] || restart
  mv -T "$CACHE/next" "$CACHE/before"
  forget_others
}

# tidy: what neither runs nor ran before goes.
tidy() {
  runs=$(installed_deb)
  for file in "$CACHE"/*.deb "$CACHE"/*.rnnedge "$CACHE"/*.toml "$CACHE"/*.part; do
    [ "$file" = "$runs" ] || rm -f "$file"
  done
  rm -rf "$CACHE/trial"
}

main() {
  mkdir -p "$CACHE"
  case $1 in
  facts | arriving) ;;
  *)
    # The lock passes to what a cut link has left running; a new run waits for its end.
    exec 9>"$CACHE/lock"
    flock --wait 300 9 || fail "another deployment is under way here"
    ;;
  esac
  "$@"
}
