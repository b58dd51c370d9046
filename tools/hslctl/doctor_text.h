/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What doctor says: findings, and remedies (R_*), in English and Chinese. The list is expanded where it is needed; a text that
 * lacks a language does not compile, and the arguments of a report are checked against both (doctor.c, report).
 * docs/troubleshooting.md explains each finding that is a WARN or a FAIL; tests/docs.sh compares.
 */
#ifndef DOCTOR_TEXT_H
#define DOCTOR_TEXT_H

#define DOCTOR_TEXTS(X) \
	/* kernel */ \
	X(SYSTEM, "%s %s %s", "%s %s %s") \
	X(SIM, "in this process: kernel, PCI and device node are not part of it", \
	  "在本进程内仿真：不涉及内核、PCI 和设备节点") \
	X(LOADED, "loaded", "已加载") \
	X(NOT_LOADED, "the module is not loaded", "模块未加载") \
	X(R_LOAD_CORE, "modprobe hsl_pci (loads hsl too); not installed: package hsl-dkms, or make modules", \
	  "执行 modprobe hsl_pci（会同时加载 hsl）；若未安装：软件包 hsl-dkms，或 make modules") \
	X(R_LOAD_PCI, "modprobe hsl_pci, or the vendor's module for this chip", \
	  "执行 modprobe hsl_pci，或加载该芯片厂商的模块") \
	X(NO_DEBUGFS, "debugfs is not mounted: no test facility, no registers in 'hslctl dump'", \
	  "debugfs 未挂载：没有测试设施，hslctl dump 中没有寄存器") \
	/* pci */ \
	X(NO_BUS, "no PCI bus can be seen from here", "这里看不到 PCI 总线") \
	X(R_NO_BUS, "no way to the bus: is /sys mounted? In a container, pass the device", \
	  "无法访问总线：/sys 挂载了吗？在容器中需要传入设备") \
	X(NO_CHIP, "no HSL chip (class 0x1200 with the HSL DVSEC)", "没有 HSL 芯片（类别码 0x1200 且带 HSL DVSEC）") \
	X(NO_CHIP_OTHERS, "no HSL chip (class 0x1200 with the HSL DVSEC); other accelerators of the class are there", \
	  "没有 HSL 芯片（类别码 0x1200 且带 HSL DVSEC）；有同类的其他加速器") \
	X(R_NO_CHIP_USER, "as root, the DVSEC of functions with other ids can be seen: try again as root", \
	  "只有 root 能看到其他设备号的 DVSEC：请用 root 重试") \
	X(R_NO_CHIP, "is the chip powered and its link up (lspci -nn)? In a VM: qemu/vm, CHIPS=", \
	  "芯片上电了吗，PCIe 链路起来了吗（lspci -nn）？在虚拟机中：qemu/vm 的 CHIPS=") \
	X(BAD_HEP_PCI, "chip %u speaks HEP %u.%u, this software HEP %d.%d", \
	  "芯片 %u 实现的是 HEP %u.%u，本软件是 HEP %d.%d") \
	X(R_HEP_PCI, "use a driver and library for the chip's version", "使用与芯片版本相符的驱动和库") \
	X(FUNCTION, "%04x:%04x, chip %u, HEP %u.%u", "%04x:%04x，芯片 %u，HEP %u.%u") \
	X(NO_DVSEC_USER, "%04x:%04x: DVSEC and BARs: extended configuration space is shown to root only", \
	  "%04x:%04x：DVSEC 和 BAR：扩展配置空间只有 root 可见") \
	X(BAR_NUMBER, "DVSEC names BAR %u for %s, which does not exist", "DVSEC 指定 BAR %u 用于 %s，但它不存在") \
	X(BAR_SIZE, "BAR %u (%s) has no size", "BAR %u（%s）没有大小") \
	X(BAR_ADDRESS, "BAR %u (%s, %" PRIu64 " MiB) has no address", "BAR %u（%s，%" PRIu64 " MiB）没有地址") \
	X(R_BAR, "the firmware or the bridge gave no address range: larger bridge windows (pref64-reserve, mem-reserve), " \
	  "kernel option pci=realloc, 'Above 4G decoding'", \
	  "固件或桥没有分配地址范围：加大桥窗口（pref64-reserve、mem-reserve），内核选项 pci=realloc，固件中的 Above 4G decoding") \
	X(NO_DRIVER, "no driver is bound", "没有绑定驱动") \
	X(R_OWN_DRIVER, "the chip asks for its maker's driver: load that one", "该芯片要求厂商自己的驱动：请加载它") \
	X(R_NO_DRIVER_USER, "as root, this tool and dmesg say why a probe failed; modprobe hsl_pci", \
	  "以 root 运行本工具和 dmesg 可以看到探测失败的原因；执行 modprobe hsl_pci") \
	X(R_BIND, "modprobe hsl_pci, or: echo %s > /sys/bus/pci/drivers/hsl_pci/bind", \
	  "执行 modprobe hsl_pci，或 echo %s > /sys/bus/pci/drivers/hsl_pci/bind") \
	X(OVERRIDDEN, "driver_override says '%s': no other driver may bind", "driver_override 为 \"%s\"：其他驱动不能绑定") \
	X(R_OVERRIDDEN, "load that driver, or: echo > /sys/bus/pci/devices/%s/driver_override, then bind hsl_pci", \
	  "加载那个驱动，或 echo > /sys/bus/pci/devices/%s/driver_override，然后绑定 hsl_pci") \
	X(NOT_TURNED_ON, "memory decode, bus master, MSI-X: a driver turns them on", \
	  "内存译码、总线主控、MSI-X：由驱动打开") \
	X(DRIVER, "driver %s", "驱动 %s") \
	X(DECODE, "memory decode %s, bus master %s, with a driver bound", "已绑定驱动，但内存译码 %s，总线主控 %s") \
	X(R_DECODE, "rebind the driver; if it stays off, dmesg of the probe", "重新绑定驱动；若仍为 OFF，看 dmesg 中的探测信息") \
	X(DECODE_ON, "memory decode and bus master on", "内存译码和总线主控已打开") \
	X(NO_CAPS_USER, "MSI-X, AER: capabilities are shown to root only", "MSI-X、AER：能力列表只有 root 可见") \
	X(NO_MSIX, "no MSI-X capability", "没有 MSI-X 能力") \
	X(R_NO_MSIX, "the chip needs MSI-X for sleeping waits", "芯片需要 MSI-X，否则无法睡眠等待") \
	X(MSIX_OFF, "MSI-X is off, %u vectors", "MSI-X 未打开，%u 个向量") \
	X(R_MSIX_OFF, "kernel option pci=nomsi? vectors exhausted? dmesg of the probe", \
	  "内核选项是否有 pci=nomsi？向量用尽了？看 dmesg 中的探测信息") \
	X(MSIX_ON, "MSI-X on, %u vectors", "MSI-X 已打开，%u 个向量") \
	X(AER, "AER capability present", "有 AER 能力") \
	X(NO_AER, "no AER capability: link errors of PCIe are not reported", "没有 AER 能力：PCIe 链路错误不会上报") \
	X(IOMMU, "behind an IOMMU, group %d", "在 IOMMU 之后，组 %d") \
	X(NO_IOMMU, "no IOMMU: the chip reaches all of memory, its driver's tables are the only guard", \
	  "没有 IOMMU：芯片可以访问全部内存，只有驱动的表在保护") \
	/* device */ \
	X(NO_NODE, "no device node", "没有设备节点") \
	X(R_NODE_CORE, "load the modules first", "先加载模块") \
	X(R_NODE_BOUND, "no chip has a driver: see above", "没有芯片绑定了驱动：见上") \
	X(R_NODE, "is devtmpfs mounted, udev running? /sys/class/hsl says which numbers there are", \
	  "devtmpfs 挂载了吗，udev 在运行吗？/sys/class/hsl 列出了设备号") \
	X(NODE_STAT, "%s", "%s") \
	X(R_NODE_STAT, "ls /dev/hsl*", "ls /dev/hsl*") \
	X(NODE_TYPE, "not a character device", "不是字符设备") \
	X(R_NODE_TYPE, "remove it; the kernel makes the node when the driver binds", "删除它；驱动绑定时内核会创建节点") \
	X(NODE_ACCESS, "no permission for uid %u: mode %04o, owner %u:%u", "uid %u 没有权限：mode %04o，属主 %u:%u") \
	X(R_NODE_ACCESS, "a udev rule or membership in its group gives access; root has it", \
	  "用 udev 规则或加入其属组来获得权限；root 有权限") \
	X(NODE_OK, "character device, mode %04o, owner %u:%u, accessible to uid %u", \
	  "字符设备，mode %04o，属主 %u:%u，uid %u 可以访问") \
	X(MEMLOCK, "RLIMIT_MEMLOCK is %" PRIu64 " KiB: no more host memory than that can be registered", \
	  "RLIMIT_MEMLOCK 为 %" PRIu64 " KiB：能注册的主机内存不超过它") \
	X(R_MEMLOCK, "ulimit -l, memlock in /etc/security/limits.conf, LimitMEMLOCK= of the service", \
	  "ulimit -l、/etc/security/limits.conf 的 memlock、服务的 LimitMEMLOCK=") \
	/* fabric */ \
	X(BAD_ABI, "the driver has ABI %u.%u, the library (%s) ABI %d.%d", "驱动的 ABI 是 %u.%u，库（%s）的 ABI 是 %d.%d") \
	X(R_BAD_ABI, "install library and driver of the same major version", "安装主版本号相同的库和驱动") \
	X(NOT_OPENED, "cannot be opened: %s", "无法打开：%s") \
	X(R_SIM_URL, "sim:TOPO<N>|FILE[,mem=SIZE][,queues=N][,profile=NAME], TOPO pair ring mesh switch", \
	  "sim:TOPO<N>|FILE[,mem=SIZE][,queues=N][,profile=NAME]，TOPO 为 pair ring mesh switch") \
	X(R_REMOTE, "the two ends of remote= do not fit: profile and versions of both, what listens there", \
	  "remote= 两端不相符：检查两端的 profile 和版本，以及监听者") \
	X(R_NO_MEMORY, "free memory, or less of it: mem=", "释放内存，或用 mem= 减小") \
	X(R_CONTEXTS, "a limit of this user: close files, or raise /sys/module/hsl/parameters/max_contexts", \
	  "达到了该用户的上限：关闭文件，或提高 /sys/module/hsl/parameters/max_contexts") \
	X(R_DMESG, "dmesg", "看 dmesg") \
	X(UNOPENED_CHIPS, "versions, a NOP on each chip: the fabric does not open", "版本、每颗芯片的 NOP：fabric 打不开") \
	X(UNOPENED, "opening, versions, a NOP on each chip: there is no device node that can be opened", \
	  "打开、版本、每颗芯片的 NOP：没有可打开的设备节点") \
	X(NO_INFO, "opens, but tells nothing: %s", "可以打开，但没有信息：%s") \
	X(OPENS, "opens: library %s, driver ABI %u.%u", "可以打开：库 %s，驱动 ABI %u.%u") \
	X(OPENS_SIM, "opens: library %s, in-process emulation, no driver", "可以打开：库 %s，进程内仿真，无驱动") \
	X(CHIPS, "chips: %u", "%u 颗芯片") \
	X(NO_CHIPS, "no chips", "没有芯片") \
	X(R_NO_CHIPS, "no chip has joined this fabric: dmesg of their probes", "没有芯片加入这个 fabric：看 dmesg 中的探测信息") \
	/* chip */ \
	X(CHIP_LEFT, "%s", "%s") \
	X(R_CHIP_LEFT, "it left while we looked: dmesg", "检查期间它离开了：看 dmesg") \
	X(BAD_HEP, "HEP %u.%u, this software HEP %d.%d", "HEP %u.%u，本软件是 HEP %d.%d") \
	X(R_HEP, "use a library for the chip's version", "使用与芯片版本相符的库") \
	X(HEP, "HEP %u.%u", "HEP %u.%u") \
	X(CHIP_STATE, "%s", "状态：%s") \
	X(R_RESETTING, "wait and try again", "稍等再试") \
	X(R_FAILED, "echo 1 > /sys/bus/pci/devices/%s/reset, then dmesg", \
	  "echo 1 > /sys/bus/pci/devices/%s/reset，然后看 dmesg") \
	X(NO_NOP_STATE, "a NOP: the chip is not ready", "NOP：芯片未就绪") \
	X(TEMPERATURE, "%.1f degrees Celsius, throttles from %.0f on; takes %.1f W", "%.1f 摄氏度，从 %.0f 度起降速；功耗 %.1f W") \
	X(NO_TEMPERATURE, "temperature: %s", "温度：%s") \
	X(HOT, "%.1f degrees Celsius: it throttles, as it does from %.0f on", "%.1f 摄氏度：芯片在降速（从 %.0f 度起）") \
	X(TOO_HOT, "%.1f degrees Celsius: it may be damaged from %.0f on", "%.1f 摄氏度：从 %.0f 度起芯片可能损坏") \
	X(R_HOT, "fans, air flow, room temperature, less load; 'hslctl monitor' shows whether it helps", \
	  "检查风扇、风道和室温，或降低负载；hslctl monitor 可以看效果") \
	X(QUEUES_USED, "all %u queues are in use", "%u 个队列全部被占用") \
	X(R_QUEUES_USED, "its users hold all of them: /sys/kernel/debug/hsl/*/state says which processes", \
	  "都被使用者占用：/sys/kernel/debug/hsl/*/state 列出进程") \
	X(NO_NOP_QUEUE, "a NOP: there is no free queue", "NOP：没有空闲队列") \
	X(MEMORY_USED, "all of its memory is in use", "芯片内存已用完") \
	X(R_MEMORY_USED, "'hslctl mem' says for what; /sys/kernel/debug/hsl/*/state says which processes", \
	  "hslctl mem 显示用途；/sys/kernel/debug/hsl/*/state 列出进程") \
	X(NO_QUEUE, "no queue can be created: %s", "无法创建队列：%s") \
	X(R_QUEUES_LIMIT, "a limit of this user: destroy queues, or raise /sys/module/hsl/parameters/max_queues", \
	  "达到了该用户的上限：销毁队列，或提高 /sys/module/hsl/parameters/max_queues") \
	X(NOP_SUBMIT, "a NOP cannot be submitted: %s", "无法提交 NOP:%s") \
	X(NOP_TIMEOUT, "a NOP does not complete within %d s", "NOP 在 %d 秒内没有完成") \
	X(NOP_WAIT, "waiting for a NOP: %s", "等待 NOP:%s") \
	X(NOP_STATUS, "a NOP completes with %s, cookie %#" PRIx64, "NOP 的完成状态是 %s,cookie %#" PRIx64) \
	X(R_NOP, "dmesg; bus master and IOMMU faults; echo 1 > /sys/bus/pci/devices/%s/reset", \
	  "看 dmesg；总线主控和 IOMMU 故障；echo 1 > /sys/bus/pci/devices/%s/reset") \
	X(NOP_OK, "a NOP completes", "NOP 可以完成") \
	/* link */ \
	X(LINKS, "%u of %u links carry packets", "%u 条链路可以传包，共 %u 条") \
	X(LINK_DOWN, "to %s %u: %s, carries nothing", "通往 %s %u:%s，不能传包") \
	X(R_LINK_DOWN, "the other end, the cable; 'hslctl link --watch'; after a test: 'hslctl inject link up'", \
	  "检查对端和线缆；hslctl link --watch；若是测试留下的：hslctl inject link up") \
	X(LINK_LANES, "to %s %u: %u of %u lanes", "通往 %s %u:%u 条通道，本可有 %u 条") \
	X(R_LINK_LANES, "a lane has failed: 'hslctl inject link retrain', reseat; after a test: 'hslctl inject lane I ok'", \
	  "有通道失效：hslctl inject link retrain，重新插接；若是测试留下的：hslctl inject lane I ok") \
	X(R_LINK_LANES_ONE, "the other end, which does not tell, has fewer, or a lane has failed: 'hslctl inject link retrain', reseat", \
	  "对端未告知其能力，或许通道较少；否则有通道失效：hslctl inject link retrain，重新插接") \
	X(LINK_RATE, "to %s %u: %.1f of %.1f GT/s", "通往 %s %u:%.1f GT/s，本可达 %.1f GT/s") \
	X(R_LINK_RATE, "trained at a lower rate: 'hslctl inject link retrain', reseat", "训练到了较低速率：hslctl inject link retrain，重新插接") \
	X(R_LINK_RATE_ONE, "the other end, which does not tell, is slower, or it trained at a lower rate: 'hslctl inject link retrain', reseat", \
	  "对端未告知其能力，或许较慢；否则训练到了较低速率：hslctl inject link retrain，重新插接") \
	X(LINK_NARROW, "to %s %u: %u lanes, another link of this fabric has %u", \
	  "通往 %s %u:%u 条通道，而同一 fabric 中有 %u 条的链路") \
	X(R_LINK_NARROW, "built so, or a lane has failed: 'hslctl inject link retrain', reseat; after a test: 'hslctl inject lane I ok'", \
	  "若不是设计如此，则有通道失效：hslctl inject link retrain，重新插接；若是测试留下的：hslctl inject lane I ok") \
	X(LINK_SLOW, "to %s %u: %.1f GT/s, another link of this fabric has %.1f", \
	  "通往 %s %u:%.1f GT/s，而同一 fabric 中有 %.1f GT/s 的链路") \
	X(R_LINK_SLOW, "built so, or trained at a lower rate: 'hslctl inject link retrain', reseat", \
	  "若不是设计如此，则训练到了较低速率：hslctl inject link retrain，重新插接") \
	X(LINK_ERRORS, "since power-on: %" PRIu64 " flits refused, %" PRIu64 " sent again, %" PRIu64 " retrains, %" PRIu64 " downs", \
	  "上电以来：拒收 %" PRIu64 " 个 flit，重发 %" PRIu64 " 个，重新训练 %" PRIu64 " 次，断开 %" PRIu64 " 次") \
	X(NO_PATH, "no path to chip %u", "没有到芯片 %u 的路径") \
	X(R_NO_PATH, "links between them are down or missing: 'hslctl topo'", "中间的链路断开或缺失：hslctl topo") \
	/* the end */ \
	X(SUMMARY_GOOD, "healthy: %u ok, %u warnings, %u failed, %u not checked", \
	  "正常：%u 项正常，%u 项警告，%u 项故障，%u 项未检查") \
	X(SUMMARY_BAD, "BROKEN: %u ok, %u warnings, %u failed, %u not checked", \
	  "有故障：%u 项正常，%u 项警告，%u 项故障，%u 项未检查")

#endif
