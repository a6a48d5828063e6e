#!/bin/sh
set -e

# The bundle that the package brings is tried here, as any other would be; the one before is kept. Where the package
# brings what it brought before, whatever was installed since stays, and is tried with the new runtime.
install_bundle() {
    bundle=/usr/share/rnnedge/bundle.rnnedge
    current=/var/lib/rnnedge-bundles/current.rnnedge
    mark=/var/lib/rnnedge-bundles/packaged
    digest=$(sha256sum < $bundle)
    if [ -e $current ] && [ "$(cat $mark 2> /dev/null)" = "$digest" ]; then
        bundle=$current
    fi
    rnnedge-device install $bundle > /dev/null || return 1
    echo "$digest" > $mark.new
    mv $mark.new $mark
}

if [ "$1" = configure ]; then
    # For a quicker start; where it fails, all works without.
    runtime=/usr/lib/rnnedge/runtimes/@RUNTIME@
    PYTHONPATH=$runtime PYTHONDONTWRITEBYTECODE=1 python3 -s -P -m rnnedge_device.precompile > /dev/null || true
    passed=yes
    install_bundle || passed=no
    # Runtimes of versions before; what was compiled in them, dpkg does not know.
    for other in /usr/lib/rnnedge/runtimes/*; do
        [ "$other" = $runtime ] || rm -rf "$other"
    done
fi

case "$1" in configure|abort-upgrade|abort-deconfigure|abort-remove)
    deb-systemd-helper unmask rnnedge.service > /dev/null || true
    if deb-systemd-helper --quiet was-enabled rnnedge.service; then
        deb-systemd-helper enable rnnedge.service > /dev/null || true
    else
        deb-systemd-helper update-state rnnedge.service > /dev/null || true
    fi
    # Never a bundle that was not tried: without one the service stays down.
    if [ -d /run/systemd/system ] && [ -e /var/lib/rnnedge-bundles/current.rnnedge ]; then
        systemctl --system daemon-reload > /dev/null || true
        if [ -n "$2" ]; then action=restart; else action=start; fi
        deb-systemd-invoke $action rnnedge.service > /dev/null || true
    fi
    ;;
esac

if [ "$1" = configure ] && [ $passed = no ]; then
    echo "rnnedge: the bundle of this package did not pass its test on this machine; it is not used" >&2
    exit 1
fi
