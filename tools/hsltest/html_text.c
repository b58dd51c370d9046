/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The words of the pages. The English text is the key, and what is shown unless another is given for English. Requirements, reasons
 * and names are not here: they are as the profile and the tests have them. tests/report.sh looks that no text is forgotten.
 */
#include <errno.h>
#include <string.h>

#include "html.h"

static const struct {
	const char *key, *en, *zh;
} texts[] = {
	/* verdicts */
	{ "pass", NULL, "通过" },
	{ "fail", NULL, "失败" },
	{ "skip", NULL, "跳过" },
	{ "not-run", "not tested", "未测试" },
	{ "not-applicable", "not applicable", "不适用" },
	{ "inconclusive", NULL, "无结论" },
	{ "error", NULL, "测试出错" },
	{ "waived", NULL, "已豁免" },
	{ "passed", NULL, "通过" },
	{ "passed-with-waivers", "passed with waivers", "通过（含豁免）" },
	{ "failed", NULL, "失败" },
	{ "incomplete", NULL, "不完整" },
	{ "not applicable", NULL, "不适用" },
	{ "not tested", NULL, "未测试" },
	{ "worse", NULL, "变差" },
	{ "better", NULL, "变好" },
	{ "changed", NULL, "有变化" },
	{ "every test of it ran and passed", NULL, "该要求的所有测试均已运行并通过" },
	{ "a test saw it violated", NULL, "有测试发现违反该要求" },
	{ "the suite itself failed; nothing is known", NULL, "测试套件自身出错，无法判断" },
	{ "it failed, and a waiver with reason and owner says that this is known", NULL, "测试失败，但已有注明理由和责任人的豁免" },
	{ "a test ran, and what it saw decides nothing", NULL, "测试已运行，但所观察到的不足以判定" },
	{ "a test of it could not run here, the evidence says why", NULL, "有测试在此环境无法运行，原因见依据" },
	{ "no test of this run judges it", NULL, "本次运行没有测试判定它" },
	{ "no test of this run judges it, or not every test of it was run", NULL, "本次运行没有测试判定它，或其测试未全部运行" },
	{ "it is about a feature that the chip does not claim", NULL, "涉及芯片未声明的特性" },
	{ "seen in a trace of the links: hsltest check-trace", NULL, "需由链路抓包判定：hsltest check-trace" },
	{ "declared by the vendor", NULL, "由厂商声明" },
	/* classes */
	{ "HEP-Base", NULL, NULL },
	{ "HEP-Link", NULL, NULL },
	{ "HEP-Coherent", NULL, NULL },
	{ "driver", "Driver", "驱动程序" },
	{ "library", "Library", "运行库" },
	{ "%llu of %llu MUST passed", NULL, "MUST 要求通过 %llu / %llu" },
	{ "Class", NULL, "等级" },
	{ "Classes", NULL, "等级" },
	/* layers */
	{ "REG", "registers and discovery", "寄存器与发现" },
	{ "QUE", "queues", "队列" },
	{ "TXN", "commands", "命令" },
	{ "ATM", "atomics", "原子操作" },
	{ "MAP", "addresses and tables", "地址与表" },
	{ "SEC", "protection", "保护" },
	{ "ORD", "ordering", "次序" },
	{ "PHY", "link states", "链路状态" },
	{ "LNK", "link", "链路" },
	{ "COH", "coherence", "一致性" },
	{ "NET", "network", "网络" },
	{ "RAS", "errors and reset", "错误与复位" },
	{ "CTF", "test facility", "测试设施" },
	{ "API", "software interface", "软件接口" },
	{ "PERF", "speed", "性能" },
	/* the report */
	{ "HSL Emulated Profile: conformance report", NULL, "HSL Emulated Profile（HEP）符合性测试报告" },
	{ "HSL Emulated Profile: two reports compared", NULL, "HSL Emulated Profile（HEP）：两份报告的比较" },
	{ "HEP is a profile of its project. This report claims HEP and nothing else; it makes no claim about HSL 1.0.", NULL,
	  "HEP 是本项目自有的规范。本报告仅就 HEP 作出判定，不对 HSL 1.0 作任何声明。" },
	{ "The run was ended early. What had been tested until then is reported; the rest counts as not tested.", NULL,
	  "本次运行被提前结束。报告仅包含此前已完成的测试，其余计为未测试。" },
	{ "The device under test is an emulation inside the test program, without a driver: this report is about the emulation.", NULL,
	  "被测设备是测试程序内部的仿真芯片，没有驱动程序：本报告仅针对该仿真。" },
	{ "A class is passed when every MUST of it was tested and passed or does not apply; it is incomplete while one is untested. "
	  "HEP-Link and HEP-Coherent include HEP-Base. A requirement is passed when all its tests passed.",
	  NULL,
	  "一个等级的全部 MUST 要求都已测试并通过（或不适用）时，该等级为“通过”；只要有一项未测试，即为“不完整”。"
	  "HEP-Link 与 HEP-Coherent 包含 HEP-Base。"
	  "一项要求的全部测试都通过时，该要求为“通过”。" },
	{ "The text of the requirements is normative in English.", NULL, "要求条文以英文为准。" },
	{ "Test run", NULL, "测试运行" },
	{ "Suite", NULL, "测试套件" },
	{ "Commit of the suite", NULL, "套件的提交" },
	{ "Profile", NULL, "规范" },
	{ "SHA-256 of the profile's text", NULL, "规范文本的 SHA-256" },
	{ "Seed", NULL, "随机种子" },
	{ "Rounds", NULL, "轮数" },
	{ "Extent", NULL, "范围" },
	{ "normal", NULL, "常规" },
	{ "quick", NULL, "快速" },
	{ "full", NULL, "完整" },
	{ "Tests that reset chips", NULL, "会复位芯片的测试" },
	{ "included", NULL, "包含" },
	{ "not included", NULL, "不包含" },
	{ "Start", NULL, "开始" },
	{ "End", NULL, "结束" },
	{ "Command", NULL, "命令行" },
	{ "Host", NULL, "主机" },
	{ "Tester (as stated)", NULL, "测试人（自述）" },
	{ "Note (as stated)", NULL, "备注（自述）" },
	{ "Vendor (as stated)", NULL, "厂商（自述）" },
	{ "Device (as stated)", NULL, "设备（自述）" },
	{ "Serial number (as stated)", NULL, "序列号（自述）" },
	{ "Firmware (as stated)", NULL, "固件（自述）" },
	{ "Peer (as stated)", NULL, "对端（自述）" },
	{ "Device under test", NULL, "被测设备" },
	{ "Reached through", NULL, "访问方式" },
	{ "Backend", NULL, "后端" },
	{ "kernel", "driver in the kernel", "内核驱动" },
	{ "sim", "emulation in the process", "进程内仿真" },
	{ "plugin", "plugin of the tester", "测试方插件" },
	{ "Driver interface", NULL, "驱动接口版本" },
	{ "Fabric id", NULL, "网络标识" },
	{ "Chips", NULL, "芯片数" },
	{ "The fabric has more chips than a run tests: this report is about the first ones.", NULL,
	  "该网络的芯片数多于一次运行所测的数量：本报告仅针对排在最前的芯片。" },
	{ "Node", NULL, "节点" },
	{ "Bus address, driver", NULL, "总线地址，驱动" },
	{ "Vendor:device, revision", NULL, "厂商:设备，修订" },
	{ "Serial number", NULL, "序列号" },
	{ "HEP", NULL, NULL },
	{ "Memory", NULL, "内存" },
	{ "Queues", NULL, "队列" },
	{ "Links and peers", NULL, "链路与对端" },
	{ "not reported", NULL, "未提供" },
	{ "chip", NULL, "芯片" },
	{ "host", NULL, "主机" },
	{ "switch", NULL, "交换机" },
	{ "Implementation statement (PICS)", NULL, "实现声明（PICS）" },
	{ "The items of the form in section 14.2 of the profile that software can read, as the chips claim them in CAP and in their registers. "
	  "The other items are the maker's to declare. What a chip does not claim is not tested and does not count against it.",
	  NULL,
	  "规范 14.2 节表格中软件可读取的各项，依芯片在 CAP 及其寄存器中的声明填写；其余各项由厂商声明。"
	  "芯片未声明的特性不予测试，也不计为不符合。" },
	{ "Item", NULL, "项" },
	{ "Found in", NULL, "来源" },
	{ "maker:chip and revision", NULL, "厂商:芯片与修订" },
	{ "HEP version", NULL, "HEP 版本" },
	{ "chip memory", NULL, "芯片内存" },
	{ "queues; largest depth", NULL, "队列数；最大深度" },
	{ "longest command", NULL, "单条命令的最大长度" },
	{ "links; width and rate of the first", NULL, "链路数；第一条的宽度与速率" },
	{ "Feature", NULL, "特性" },
	{ "yes", NULL, "是" },
	{ "no", NULL, "否" },
	{ "loads and stores of the host are coherent", NULL, "主机的读写是一致的" },
	{ "locked operations of the host are atomic", NULL, "主机的加锁操作是原子的" },
	{ "windows into the global address space", NULL, "全局地址空间窗口" },
	{ "observable memory", NULL, "可观测内存" },
	{ "compliance test facility", NULL, "符合性测试设施" },
	{ "counters of links and caches", NULL, "链路与缓存计数器" },
	{ "time is modelled", NULL, "时间为模型时间" },
	{ "command COPY", NULL, "COPY 命令" },
	{ "command FILL", NULL, "FILL 命令" },
	{ "command REDUCE", NULL, "REDUCE 命令" },
	{ "command ATOMIC", NULL, "ATOMIC 命令" },
	{ "commands LOAD and STORE", NULL, "LOAD 与 STORE 命令" },
	{ "commands SIGNAL and WAIT", NULL, "SIGNAL 与 WAIT 命令" },
	{ "command FENCE", NULL, "FENCE 命令" },
	{ "command COPY2D", NULL, "COPY2D 命令" },
	{ "command COPY_LIST", NULL, "COPY_LIST 命令" },
	{ "interrupt moderation", NULL, "中断节制" },
	{ "submission tail in memory", NULL, "内存中的提交尾指针" },
	{ "Requirements by layer", NULL, "各层要求汇总" },
	{ "Layer", NULL, "层" },
	{ "all", NULL, "合计" },
	{ "Failures", NULL, "失败项" },
	{ "What the test shows, or chips and links at that time", NULL, "测试给出的细节，或当时的芯片与链路状态" },
	{ "Rounds that failed", NULL, "失败轮数" },
	{ "To see it again", NULL, "复现" },
	{ "Waivers", NULL, "豁免" },
	{ "Test or requirement", NULL, "测试或要求" },
	{ "Owner", NULL, "责任人" },
	{ "Until", NULL, "有效期至" },
	{ "Reason", NULL, "理由" },
	{ "Used", NULL, "已使用" },
	{ "no end", NULL, "无期限" },
	{ "What the verdicts mean", NULL, "判定的含义" },
	{ "Requirements", NULL, "要求" },
	{ "Requirement", NULL, "要求" },
	{ "Text, evidence, how to repeat", NULL, "条文、依据与复现方法" },
	{ "Verdict", NULL, "判定" },
	{ "Time", NULL, "用时" },
	{ "Evidence", NULL, "依据" },
	{ "Tests", NULL, "测试" },
	{ "The two runs are of different texts of the profile.", NULL, "两次运行所依据的规范文本不同。" },
	{ "Requirements whose verdict differs", NULL, "判定不同的要求" },
};

const char *ht_tr(enum ht_lang lang, const char *english)
{
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *s = lang == HT_ZH_CN ? texts[i].zh : texts[i].en;

		if (!strcmp(texts[i].key, english))
			return s ? s : english;
	}
	return english;
}

int ht_lang_parse(const char *s, enum ht_lang *lang)
{
	if (!strcmp(s, "en"))
		*lang = HT_EN;
	else if (!strcmp(s, "zh_CN"))
		*lang = HT_ZH_CN;
	else
		return -EINVAL;
	return 0;
}
