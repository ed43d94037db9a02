#!/usr/bin/env bash
# The gate for cgroup v2 and pressure: runs the tests of acting under Debian's kernel in QEMU, where the controllers are in
# the version 2 tree (see docs/acting.md). Nothing may be left out in there. Prints "N passed, M failed".
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${APPORTION_GATE_SECONDS:-600}
kernel=$(ls /boot/vmlinuz-*-cloud-amd64 2>/dev/null | sort -V | tail -1)
for tool in qemu-system-x86_64 busybox cpio mke2fs; do
  command -v "$tool" >/dev/null || { echo "LEFT OUT: cgroup v2 under QEMU: $tool is not installed"; exit 0; }
done
[ -n "$kernel" ] || { echo "LEFT OUT: cgroup v2 under QEMU: no linux-image-cloud-amd64 in /boot"; exit 0; }
modules=/lib/modules/${kernel#/boot/vmlinuz-}/kernel

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{bin,tests,modules}
install -m 755 tests/qemu/init "$root/init"
cp "$(command -v busybox)" "$root/bin/busybox"

# Each after those that it needs.
for module in drivers/virtio/virtio_ring drivers/virtio/virtio drivers/virtio/virtio_pci_modern_dev \
  drivers/virtio/virtio_pci_legacy_dev drivers/virtio/virtio_pci drivers/block/virtio_blk \
  lib/libcrc32c net/netfilter/nfnetlink net/netfilter/nf_tables net/ipv4/netfilter/nf_socket_ipv4 \
  net/ipv6/netfilter/nf_socket_ipv6 net/netfilter/nft_socket net/netfilter/nft_objref net/sched/sch_htb \
  drivers/net/veth; do
  [ -e "$modules/$module.ko" ] || continue
  cp "$modules/$module.ko" "$root/modules/"
  echo "${module##*/}.ko" >>"$root/modules/order"
done

# A program with the libraries that it names.
put() {
  install -D "$1" "$root$2"
  ldd "$1" | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$root${library%/*}"
    cp -Lu "$library" "$root$library"
  done
}

# The tests as they are built here.
put_test() {
  local binary
  binary=$(cargo test --quiet -p apportion-host --test "$1" --no-run --message-format=json |
    grep -o '"executable":"[^"]*"' | tail -1 | cut -d'"' -f4)
  put "$binary" "$2/$1"
  strip "$root$2/$1"
}
for test in act_machine act_files act_recorded act_kill; do put_test "$test" /tests; done

# Counting what groups send, without what is judged by speed: an emulated processor has little.
# The shell is this machine's: that of busybox would take its own `ip`.
if hash nft tc ip unshare nsenter 2>/dev/null; then
  put_test act_network /net-tests
  for tool in nft tc ip unshare nsenter sh; do put "$(command -v "$tool")" "/usr/sbin/$tool"; done
else
  echo "LEFT OUT: counting what is sent under QEMU: nftables, iproute2 or util-linux is not installed"
fi

# systemd and its bus, with what they need to start one unit.
put_systemd() {
  put_test act_systemd /systemd-tests
  put /lib/systemd/systemd /lib/systemd/systemd
  for tool in systemctl systemd-run dbus-daemon; do put "/usr/bin/$tool" "/usr/bin/$tool"; done
  mkdir -p "$root"/{etc/systemd/system,lib/systemd/system,usr/share,var}
  ln -s /run "$root/var/run"
  for unit in {system,-}.slice {sysinit,basic,sockets,shutdown,umount,final}.target dbus.{service,socket}; do
    [ ! -e "/lib/systemd/system/$unit" ] || cp "/lib/systemd/system/$unit" "$root/lib/systemd/system/"
  done
  cp -r /usr/share/dbus-1 "$root/usr/share/"
  grep -E '^(root|messagebus):' /etc/passwd >"$root/etc/passwd"
  grep -E '^(root|messagebus):' /etc/group >"$root/etc/group"
  echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
  cp tests/qemu/gate.service "$root/etc/systemd/system/"
}
if command -v systemd-run dbus-daemon >/dev/null && [ -x /lib/systemd/systemd ]; then
  put_systemd
else
  echo "LEFT OUT: a real systemd under QEMU: systemd or dbus is not installed"
fi

(cd "$root" && find . | cpio --quiet -o -H newc) >"$work/initramfs"
truncate -s 256M "$work/disk"
mke2fs -q -t ext4 "$work/disk"

begin=$SECONDS
timeout "$seconds" qemu-system-x86_64 -accel tcg,thread=multi -machine q35 -cpu max -smp 2 -m 1024 -nographic -no-reboot \
  -drive "file=$work/disk,format=raw,if=virtio,cache=unsafe" -kernel "$kernel" -initrd "$work/initramfs" \
  -append "console=ttyS0 quiet panic=-1 psi=1 cgroup_no_v1=all" </dev/null 2>&1 | tr -d '\r' | tee "$work/log" || true

# Lines of the harness only: "test result: ok. 4 passed; 0 failed; ...".
grep '^test result' "$work/log" >"$work/results" || true
passed=$(grep -oE '[0-9]+ passed' "$work/results" | awk '{ sum += $1 } END { print sum + 0 }')
failed=$(grep -oE '[0-9]+ failed' "$work/results" | awk '{ sum += $1 } END { print sum + 0 }')
left_out=$(grep -c 'LEFT OUT' "$work/log" || true)
grep -q '== end of the gate' "$work/log" || { echo "the machine did not come to its end within $seconds s"; failed=$((failed + 1)); }
[ "$left_out" -eq 0 ] || { echo "$left_out left out inside, where nothing may be"; failed=$((failed + left_out)); }
echo "$passed passed, $failed failed in $((SECONDS - begin)) s"
[ "$passed" -gt 0 ] && [ "$failed" -eq 0 ]
