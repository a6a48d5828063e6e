#!/bin/sh
set -e

if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    deb-systemd-invoke stop rnnedge.service > /dev/null || true
fi
# What was compiled there, dpkg does not know. What runs from there goes on, and so it does after a cut.
if [ -d /usr/lib/rnnedge ]; then
    find /usr/lib/rnnedge -name __pycache__ -prune -exec rm -rf {} +
fi
