#!/bin/sh
# As the official one: the folder of the data becomes the server's, which does not run as root; and so do its tools, who share its cookie.
set -e
if [ "$(id -u)" = 0 ]; then
    [ "$1" = rabbitmq-server ] && chown -R rabbitmq:rabbitmq /var/lib/rabbitmq
    exec setpriv --reuid rabbitmq --regid rabbitmq --init-groups "$@"
fi
exec "$@"
