# SPDX-License-Identifier: GPL-2.0
"""QEMU command lines of the lab's profiles."""

import glob
import os

MIB = 1 << 20


def parse_size(text):
    """'512M' -> bytes; a bare number is bytes."""
    unit = {"K": 10, "M": 20, "G": 30, "T": 40}.get(text[-1:].upper())
    return int(text[:-1]) << unit if unit else int(text)


def kernel():
    """(image, release, module directory) of the newest stock Debian 6.12 installed; ITME_KERNEL names another image,
    whose lib/modules may lie beside it."""
    image = os.environ.get("ITME_KERNEL")
    if not image:
        found = glob.glob("/boot/vmlinuz-6.12.*-amd64")
        if not found:
            raise SystemExit("lab: no Debian 6.12 kernel in /boot: run scripts/setup")
        # 6.12.9 sorts before 6.12.117
        image = max(found, key=lambda p: [int(n) if n.isdigit() else n
                                          for n in p.replace("+", ".").replace("-", ".").split(".")])
    release = os.path.basename(image).removeprefix("vmlinuz-")
    modules = f"lib/modules/{release}"
    beside = os.path.join(os.path.dirname(os.path.realpath(image)), modules)
    return image, release, beside if os.path.isdir(beside) else "/" + modules


def _cpu(opt):
    # erms and fsrm make the kernel copy by `rep movsb`, which TCG runs byte by byte.
    # hypervisor: under one the CXL core refuses to commit a region, as it cannot flush CPU caches.
    return "host,-hypervisor" if opt.kvm else "max,-hypervisor,-erms,-fsrm"


def _accel(opt):
    if opt.kvm:
        return ["-accel", "kvm"]
    if opt.icount:
        # One instruction is 1 ns of guest time, idle time passes at once: results repeat.
        return ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"]
    return ["-accel", "tcg,thread=multi"]


def _numa(opt):
    """Node 0: DRAM and all CPUs. Node 1: memory alone, at DRAM speed, told apart by the HMAT."""
    dram, cxl = parse_size(opt.dram), parse_size(opt.cxl)
    args = ["-machine", "q35,hmat=on",
            "-m", f"size={dram // MIB}M,slots=2,maxmem={(dram + cxl) // MIB + 4096}M",
            "-object", f"memory-backend-ram,id=dram,size={dram}",
            "-numa", f"node,nodeid=0,cpus=0-{opt.smp - 1},memdev=dram",
            "-numa", "node,nodeid=1,initiator=0",
            "-numa", "dist,src=0,dst=1,val=20"]
    # A DIMM, not boot memory: it can be onlined movable and taken offline like CXL memory.
    args += ["-object", f"memory-backend-ram,id=cxl,size={cxl}",
             "-device", "pc-dimm,id=dimm1,memdev=cxl,node=1"]
    # Nanoseconds and bytes/s as of local DDR5 and of a CXL 2.0 x8 expander.
    for node, ns, bps in ((0, 80, "80G"), (1, 250, "17G")):
        args += ["-numa", f"hmat-lb,initiator=0,target={node},hierarchy=memory,"
                          f"data-type=access-latency,latency={ns}",
                 "-numa", f"hmat-lb,initiator=0,target={node},hierarchy=memory,"
                          f"data-type=access-bandwidth,bandwidth={bps}"]
    return args


def _cxl(opt):
    """A volatile type-3 device behind a CXL host bridge and root port; cxl-up makes node 1 of it."""
    dram, cxl = parse_size(opt.dram), parse_size(opt.cxl)
    return ["-machine", "q35,cxl=on,cxl-fmw.0.targets.0=cxl.1,cxl-fmw.0.size=4G",
            "-m", f"{dram // MIB}M",
            # A node 0 of our own makes an SRAT, without which Linux gives the CXL window no node.
            "-object", f"memory-backend-ram,id=dram,size={dram}",
            "-numa", f"node,nodeid=0,cpus=0-{opt.smp - 1},memdev=dram",
            "-object", f"memory-backend-ram,id=cxlmem,share=on,size={cxl}",
            "-device", "pxb-cxl,bus_nr=12,bus=pcie.0,id=cxl.1",
            "-device", "cxl-rp,port=0,bus=cxl.1,id=cxl_rp0,chassis=0,slot=2",
            "-device", "cxl-type3,bus=cxl_rp0,volatile-memdev=cxlmem,id=cxl-mem0,sn=0x17e"]


PROFILES = {"numa": _numa, "cxl": _cxl}


def _nvme(opt, image):
    drive = f"file={image},if=none,id=nvme0,format=raw,cache=writeback,aio=threads,discard=unmap"
    if opt.nvme_bps:
        drive += f",throttling.bps-total={parse_size(opt.nvme_bps)}"
    return ["-drive", drive, "-device", "nvme,serial=itme-lab,drive=nvme0,bus=pcie.0"]


def command_line(opt):
    """Kernel parameters. Reports must reach the console, and an oops must end the guest."""
    args = ["console=ttyS0", "panic=-1", "panic_on_oops=1", "oops=panic", "loglevel=7",
            # Emulated page-table switches are dear and not what is tested.
            "mitigations=off", "random.trust_cpu=on", "net.ifnames=0",
            # guest-init onlines node 1: earlier, before the HMAT is read, it would land in DRAM's memory tier.
            "memhp_default_state=offline",
            # Two vCPUs on a busy two-core host may stand still for seconds. The check of the timer would then panic.
            "no_timer_check", "watchdog_thresh=30", "rcupdate.rcu_cpu_stall_timeout=90"]
    if opt.icount:
        # Guest time races through every wait for the host: stall detectors would see ghosts.
        args += ["nowatchdog", "hung_task_timeout_secs=0", "rcupdate.rcu_cpu_stall_suppress=1"]
    return " ".join(args + opt.append)


# Every device names bus=pcie.0: QEMU's own choice may be the CXL host bridge, which takes root ports only.
# iommu_platform: else virtio's DMA would not be that of a PCI device, and its bounce buffers not ours to set.
VIRTIO = "bus=pcie.0,disable-legacy=on,iommu_platform=on"


def qemu(opt, image, initrd, results, nvme_image, ports):
    """The argument list. ports: file descriptors of the console, the word and the output."""
    args = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
            "-monitor", "none", "-no-reboot", *_accel(opt), "-cpu", _cpu(opt),
            "-smp", str(opt.smp), *PROFILES[opt.profile](opt),
            "-kernel", image, "-initrd", initrd, "-append", command_line(opt),
            "-device", f"virtio-rng-pci,{VIRTIO}"]
    for name, fd in ports.items():
        args += ["-chardev", f"socket,id={name},fd={fd}"]
    args += ["-serial", "chardev:console", "-serial", "chardev:word",
             # DMA to CXL memory, which QEMU sees as MMIO, goes through bounce buffers; 4 KiB by default, and a
            # virtio device that needs more is broken from then on.
            "-global", "pci-device.x-max-bounce-buffer-size=64M",
            "-device", f"virtio-serial-pci,{VIRTIO}",
             "-device", "virtserialport,chardev=out,name=lab.out"]
    if opt.shell:
        args += ["-chardev", "stdio,id=tty,signal=off", "-device", "virtconsole,chardev=tty"]
    # multidevs: inode numbers stay unique when the host's root spans several filesystems.
    for tag, path, mode in (("hostroot", "/", "on"), ("results", results, "off")):
        args += ["-fsdev", f"local,id={tag},path={path},security_model=none,"
                           f"readonly={mode},multidevs=remap",
                 "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag},{VIRTIO}"]
    if nvme_image:
        args += _nvme(opt, nvme_image)
    return args + opt.qemu
