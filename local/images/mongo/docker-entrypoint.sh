#!/bin/sh
# As the official one: the folder of the data becomes the server's, which does not run as root.
set -e
if [ "$(id -u)" = 0 ] && [ "$1" = mongod ]; then
    chown -R mongodb:mongodb /data/db /data/configdb
    exec setpriv --reuid mongodb --regid mongodb --init-groups "$@"
fi
exec "$@"
