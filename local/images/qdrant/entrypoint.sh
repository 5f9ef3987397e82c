#!/bin/sh
# The data lies in a folder of its own: a real server's is laid out otherwise.
python3 readyz.py &
exec python3 /opt/engine --data /qdrant/storage/engine --listen 0.0.0.0:6334
