#!/bin/sh
set -e

if [ "$1" = remove ] || [ "$1" = purge ]; then
    # What Python has compiled there, dpkg does not know.
    rm -rf /usr/lib/rnnedge
    if [ -d /run/systemd/system ]; then
        systemctl --system daemon-reload > /dev/null || true
    fi
fi

if command -v deb-systemd-helper > /dev/null; then
    if [ "$1" = remove ]; then
        deb-systemd-helper mask rnnedge.service > /dev/null || true
    elif [ "$1" = purge ]; then
        deb-systemd-helper purge rnnedge.service > /dev/null || true
        deb-systemd-helper unmask rnnedge.service > /dev/null || true
    fi
fi

if [ "$1" = purge ]; then
    # /var/lib/rnnedge is systemd's link to the service's folder in /var/lib/private.
    rm -rf /var/lib/rnnedge-bundles /var/lib/private/rnnedge /var/lib/rnnedge
    rmdir /etc/rnnedge 2> /dev/null || true
fi
