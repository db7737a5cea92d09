# A machine's first process: first boot as cloud-init has it, then sshd, then the user's programs.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
here=/usr/local/lib/machine
rm -rf /run/* /tmp/*
mkdir -p /run/sshd /run/cloud-init
if [ -e "$here/first" ]; then sh "$here/early" || echo "early stage failed" >> /run/cloud-init/errors; fi
[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N "" -C "" -f /etc/ssh/ssh_host_ed25519_key
sleep "$(cat "$here/late-seconds")"
/usr/sbin/sshd -D -E /var/log/auth.log &
echo "ci-info: no authorized SSH keys fingerprints found for user admin."
echo "-----BEGIN SSH HOST KEY FINGERPRINTS-----"
for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -l -f "$key"; done
echo "-----END SSH HOST KEY FINGERPRINTS-----"
echo "-----BEGIN SSH HOST KEY KEYS-----"
cat /etc/ssh/ssh_host_*_key.pub
echo "-----END SSH HOST KEY KEYS-----"
if [ -e "$here/first" ]; then
  rm "$here/first"
  for script in "$here"/scripts/*; do
    [ -e "$script" ] || continue
    "$script" || echo "${script##*/} ended with $?" >> /run/cloud-init/errors
  done
fi
sh "$here/final"
# Also buries whatever programs leave behind.
wait
