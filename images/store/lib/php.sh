# PHP's settings, and what is compiled in the image; read by the entry points that start PHP.
# shellcheck shell=bash

export PHP_INI_SCAN_DIR=${PHP_INI_SCAN_DIR-}:/usr/local/lib/urumi/php

# OPcache insists on a folder that it can write. This one is the container's own and has one link in it, to what
# nobody can write. It is made anew at each start, whatever was put there meanwhile.
rm -rf /tmp/opcache
mkdir /tmp/opcache
ln -s /usr/local/share/urumi/opcache/* /tmp/opcache/
