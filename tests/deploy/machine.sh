#!/bin/bash
# A Debian machine inside this one: machine.sh FOLDER LOWER ADDRESS PORT. Run it in mount, pid, ipc and uts namespaces of
# its own. Its files are LOWER's under a layer of its own, FOLDER/layer, so that a second start finds what the first has
# left; systemd is its process 1, with cgroups and a journal, and sshd is one of its services.
set -eu
folder=$1 lower=$2 address=$3 port=$4
root=$folder/root
mount --make-rprivate /
mkdir -p "$folder"/layer/{upper,work} "$root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$folder/layer/upper,workdir=$folder/layer/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
for place in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs "$root/$place"; done
chmod 1777 "$root/tmp"
for name in null zero full random urandom tty; do
  touch "$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
if [ -n "${SITE:-}" ]; then # Python packages that a light package borrows
  mkdir -p "$root/opt/site"
  mount --bind "$SITE" "$root/opt/site"
fi
words=()
if [ -d "$folder/bootfs" ]; then
  mkdir -p "$root/boot/firmware"
  mount --bind "$folder/bootfs" "$root/boot/firmware"
  for word in $(cat "$folder/bootfs/cmdline.txt"); do
    [[ $word != systemd.* ]] || words+=("$word")
  done
fi

# A branch of this machine's tree of cgroups, as the whole of it.
group=$(mktemp -d)
mount -t cgroup2 cgroup2 "$group"
mkdir -p "$group/${folder//\//-}"
echo 0 >"$group/${folder//\//-}/cgroup.procs"

# What this machine starts at boot is none of that one's business, but for sshd.
cd "$root"
if [ ! -e var/booted ]; then
  rm -rf etc/fstab etc/systemd/system/*.wants etc/systemd/system/*.service etc/ssh/sshd_config.d/* \
    etc/systemd/network usr/sbin/policy-rc.d etc/machine-id var/log/journal
  touch etc/machine-id
  mkdir -p etc/systemd/system/multi-user.target.wants run/sshd
  cp "$folder/host_key" etc/ssh/test_host_key
  cp "$folder/host_key.pub" etc/ssh/test_host_key.pub
  chmod 600 etc/ssh/test_host_key
  cat >etc/ssh/sshd_config <<END
Port $port
ListenAddress $address
HostKey /etc/ssh/test_host_key
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PermitRootLogin prohibit-password
PrintMotd no
MaxStartups 100
END
  ln -s ../test-sshd.service etc/systemd/system/multi-user.target.wants/
  cat >etc/systemd/system/test-sshd.service <<END
[Service]
RuntimeDirectory=sshd
ExecStart=/usr/sbin/sshd -D -e
KillMode=process
END
  for user in pi plain; do
    chroot . useradd --create-home --shell /bin/bash "$user"
    chroot . usermod -p '*' "$user"
  done
  chroot . usermod -p '*' root
  for home in root home/pi home/plain; do
    mkdir -p "$home/.ssh"
    cp "$folder/client_key.pub" "$home/.ssh/authorized_keys"
    chmod 700 "$home" "$home/.ssh"
  done
  chroot . chown -R pi: /home/pi
  chroot . chown -R plain: /home/plain
  rm -rf etc/sudoers.d/*
  echo 'pi ALL=(ALL) NOPASSWD: ALL' >etc/sudoers.d/010_pi-nopasswd
  touch var/booted
fi

exec env -i container=machine unshare -C bash -c "
  mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
  exec chroot $root /lib/systemd/systemd --system --log-target=null --show-status=no ${words[*]:-systemd.unit=multi-user.target}"
