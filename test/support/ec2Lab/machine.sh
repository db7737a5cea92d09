# The way into a machine, as the first process of its namespaces: everything of this computer below, and above it what is the machine's own.
set -e
machine=$1 root=$1/root
exec >> "$machine/console" 2>&1
mount -t overlay overlay -o "lowerdir=/,upperdir=$machine/upper,workdir=$machine/work" "$root"
for own in etc/ssh root home tmp run; do mount --bind "$machine/own/$own" "$root/$own"; done
mount --bind /mnt/shared "$root/mnt"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
exec chroot "$root" /bin/sh /usr/local/lib/machine/init
