// SPDX-License-Identifier: MIT OR Apache-2.0
/* hslctl: arguments, and what its verbs share. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit.h"
#include "hsl/hsl.h"
#include "hslctl.h"
#include "json.h"
#include "size.h"

static const char help[] =
	"usage: hslctl list    [--pci] [options]\n"
	"       hslctl topo    [options]\n"
	"       hslctl doctor  [options]\n"
	"       hslctl mem     [online SIZE|offline] [--chip NODE] [--force] [options]\n"
	"       hslctl link    [--node NODE] [--link I] [--watch [--for TIME]] [options]\n"
	"       hslctl stat    [--node NODE] [--link I] [--nonzero] [--watch|--interval TIME [--for TIME]] [options]\n"
	"       hslctl monitor [--node NODE] [--link I] [--interval TIME] [--for TIME] [options]\n"
	"       hslctl dump    [-o FILE] [options]\n"
	"       hslctl inject  [--node NODE] [--link I] WHAT... [--for TIME] [options] [-- COMMAND...]\n"
	"       hslctl capture -w FILE [--node NODE] [--link I] [--for TIME] [options] [-- COMMAND...]\n"
	"\n"
	"  list      the chips of a fabric: memory, queues, links, driver\n"
	"  topo      its links, and the number of hops between any two chips\n"
	"  doctor    checks every layer from the kernel module to a command on each chip, and says\n"
	"            which one is broken and what to do\n"
	"  mem       memory of the chips, and how much of it is online as a NUMA node.\n"
	"            online SIZE: give the upper SIZE of a chip to the kernel; offline: take it back,\n"
	"            unless it is in use. Root only\n"
	"  link      state of the links, and how often they trained anew; --watch: as it changes\n"
	"  stat      counters of links, caches, homes and routing since power-on; --watch: live, per second\n"
	"  monitor   chips, links, bandwidth, errors and events, live on a terminal. In a pipe: a line for\n"
	"            each event; with --json a document a line, each interval too\n"
	"  dump      one text for a report of a bug: versions, driver, registers, PCI, links, counters, queues,\n"
	"            the kernel's messages about hsl; no memory. As root it has more\n"
	"  inject    makes errors on a link on purpose, until ctrl-C, for a time, or while COMMAND runs.\n"
	"            Root only. WHAT is one or more of:\n"
	"              link down|leave|up|retrain|hot-reset    lane I fail|ok  (I receives at this end)\n"
	"              ber RATE    burst RATE BITS       drop RATE           duplicate RATE\n"
	"              reorder RATE PLACES               seed N              (random errors)\n"
	"              crc N[@K] [BIT]   (the N flits after the next K have a wrong CRC, N up to 2^32-1)\n"
	"              lose N[@K]        double N[@K]    late N[@K] PLACES   delay N[@K] TIME\n"
	"              poison-data N[@K] (packets with data)   timeout N[@K] (requests get lost)\n"
	"              poison GA         unpoison GA     (a line in the memory of its chip)\n"
	"              fatal             (the chip reports a fatal error; only a reset of its function helps)\n"
	"            clear: end the test mode of the chip now\n"
	"  capture   what the links carry, flit by flit, into a pcapng file for Wireshark and\n"
	"            'hsltest check-trace'. Root only\n"
	"\n"
	"  -f, --fabric URL   /dev/hsl0, sim:mesh4, ...  (default: $HSL_FABRIC, first device;\n"
	"                     doctor: every device)\n"
	"      --pci          list: also the PCI functions, as the bus shows them without a driver.\n"
	"                     Extended configuration space, where the DVSEC is, is shown to root only\n"
	"      --chip NODE    mem online, offline: which chip, if there are several\n"
	"      --force        mem offline: move what is in use to other memory\n"
	"      --node NODE    this chip only (inject: which chip, if there are several)\n"
	"      --link I       this link only (inject: which link, if there are several)\n"
	"      --nonzero      stat: rows that are not all zero\n"
	"      --interval T   stat: how much they grow per second, again and again; 500ms, 2s, 1m.\n"
	"                     monitor, stat --watch: how often (1s)\n"
	"      --watch        link: then print each change; stat: in place, on a terminal\n"
	"      --for TIME     how long; else until ctrl-C, or the end of COMMAND\n"
	"  -w, --write FILE   capture: the file\n"
	"  -o, --output FILE  dump: the file; else standard output\n"
	"      --lang L       doctor: en or zh_CN; default: by the locale, --json: en\n"
	"      --json         one document (schema hslctl/1) on standard output\n"
	"  -h, --help   -V, --version\n"
	"\n"
	"Exit status: 0 good, 1 doctor found something broken, or mem or inject was refused, 2 usage,\n"
	"3 no usable fabric, counters or test facility. With COMMAND: its status, 127 not found.\n";

struct json_object *ctl_document(const char *verb)
{
	struct json_object *doc = tool_json_object();

	tool_json_str(doc, "schema", "hslctl/1");
	tool_json_str(doc, "verb", verb);
	return doc;
}

int ctl_document_end(struct json_object *doc, int code)
{
	int rc = tool_json_write(doc, NULL);

	tool_json_free(doc);
	/* what standard output did not take is said by tool_finish, which leaves a status that tells more */
	return rc && !ferror(stdout) ? tool_not_written(NULL, rc) : code;
}

const char *ctl_chip_state(uint32_t state)
{
	static const char *const names[] = { "ready", "resetting", "failed" };

	return state < 3 ? names[state] : "unknown";
}

const char *ctl_link_state(uint32_t state)
{
	static const char *const names[] = { "Detect", "Polling",  "Config",   "L0",
					     "L1",     "Recovery", "Disabled", "HotReset" };

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

const char *ctl_node_type(uint32_t type)
{
	return type == HSL_NODE_TYPE_CHIP     ? "chip"
	       : type == HSL_NODE_TYPE_SWITCH ? "switch"
	       : type == HSL_NODE_TYPE_HOST   ? "host"
					      : "?";
}

/* ---- verbs and options ---- */

enum {
	GIVEN_PCI = 1 << 0,
	GIVEN_CHIP = 1 << 1,
	GIVEN_FORCE = 1 << 2,
	GIVEN_NODE = 1 << 3,
	GIVEN_LINK = 1 << 4,
	GIVEN_NONZERO = 1 << 5,
	GIVEN_INTERVAL = 1 << 6,
	GIVEN_WATCH = 1 << 7,
	GIVEN_FOR = 1 << 8,
	GIVEN_WRITE = 1 << 9,
	GIVEN_COMMAND = 1 << 10,
	GIVEN_OUTPUT = 1 << 11,
	GIVEN_LANG = 1 << 12,
};

static const char *const given_names[] = {
	"--pci",      "--chip",	 "--force", "--node",  "--link", "--nonzero",
	"--interval", "--watch", "--for",   "--write", "a command after --",
	"--output",   "--lang",
};

/* What follows "mem". */
static int mem_words(struct ctl_args *a)
{
	bool online = a->nwords > 0 && !strcmp(a->word[0], "online");

	if (a->nwords > 0 && !online && strcmp(a->word[0], "offline"))
		return tool_usage("mem '%s': online SIZE or offline", a->word[0]);
	if (online && a->nwords < 2)
		return tool_usage("mem online: a size is missing");
	if (a->nwords > 1 + online)
		return tool_usage("'%s' is one word too many", a->word[1 + online]);
	if (a->force && (a->nwords < 1 || online))
		return tool_usage("--force goes with mem offline");
	a->action = a->nwords > 0 ? a->word[0] : NULL;
	a->size = online ? a->word[1] : NULL;
	return TOOL_PASS;
}

static int timed_words(struct ctl_args *a)
{
	if (a->for_ns && !a->watch && !a->interval_ns)
		return tool_usage("--for goes with --watch or --interval");
	return a->nwords ? tool_usage("'%s' is one word too many", a->word[0]) : TOOL_PASS;
}

static int capture_words(struct ctl_args *a)
{
	if (!a->file)
		return tool_usage("capture: -w FILE is missing");
	return a->nwords ? tool_usage("'%s' is one word too many", a->word[0]) : TOOL_PASS;
}

static int dump_words(struct ctl_args *a)
{
	if (a->json)
		return tool_usage("dump writes a text: --json does not go with it");
	return a->nwords ? tool_usage("'%s' is one word too many", a->word[0]) : TOOL_PASS;
}

static int inject_words(struct ctl_args *a)
{
	return a->nwords ? TOOL_PASS : tool_usage("inject: what? 'hslctl --help' lists it");
}

static int no_words(struct ctl_args *a)
{
	return a->nwords ? tool_usage("'%s' is one word too many", a->word[0]) : TOOL_PASS;
}

static const struct verb {
	const char *name;
	int (*run)(const struct ctl_args *a);
	int (*words)(struct ctl_args *a); /* checks what follows the verb: an exit code */
	unsigned int options;		  /* GIVEN_*: what goes with it */
} verbs[] = {
	{ "list", ctl_list, no_words, GIVEN_PCI },
	{ "topo", ctl_topo, no_words, 0 },
	{ "doctor", ctl_doctor, no_words, GIVEN_LANG },
	{ "dump", ctl_dump, dump_words, GIVEN_OUTPUT },
	{ "mem", ctl_mem, mem_words, GIVEN_CHIP | GIVEN_FORCE },
	{ "link", ctl_link, timed_words, GIVEN_NODE | GIVEN_LINK | GIVEN_WATCH | GIVEN_FOR },
	{ "stat", ctl_stat, timed_words,
	  GIVEN_NODE | GIVEN_LINK | GIVEN_NONZERO | GIVEN_INTERVAL | GIVEN_WATCH | GIVEN_FOR },
	{ "monitor", ctl_monitor, no_words, GIVEN_NODE | GIVEN_LINK | GIVEN_INTERVAL | GIVEN_FOR },
	{ "inject", ctl_inject, inject_words, GIVEN_NODE | GIVEN_LINK | GIVEN_FOR | GIVEN_COMMAND },
	{ "capture", ctl_capture, capture_words,
	  GIVEN_NODE | GIVEN_LINK | GIVEN_FOR | GIVEN_WRITE | GIVEN_COMMAND },
};
#define VERBS "list, topo, doctor, mem, link, stat, monitor, dump, inject or capture"

static int run_verb(struct ctl_args *a, const char *name, unsigned int given)
{
	unsigned int i, wrong;
	int code;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]) && strcmp(name, verbs[i].name); i++)
		;
	if (i == sizeof(verbs) / sizeof(verbs[0]))
		return tool_usage("unknown verb '%s': " VERBS, name);
	wrong = given & ~verbs[i].options;
	if (wrong)
		return tool_usage("%s does not go with %s", given_names[__builtin_ctz(wrong)], name);
	code = verbs[i].words(a);
	return code == TOOL_PASS ? tool_finish(verbs[i].run(a)) : code;
}

/* Takes "-- COMMAND..." off the arguments: getopt would mix its words with ours. */
static char **split_command(int *argc, char **argv)
{
	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], "--"))
			continue;
		*argc = i;
		argv[i] = NULL;
		return argv + i + 1;
	}
	return NULL;
}

static int parse_node(const char *option, const char *s, uint32_t *node)
{
	uint64_t v;

	if (tool_u64_parse(s, 1, HSL_NODE_HOST_DEFAULT - 1, &v))
		return tool_usage("%s %s: not a chip's node id", option, s);
	*node = (uint32_t)v;
	return TOOL_PASS;
}

static int parse_link(const char *s, uint32_t *link)
{
	uint64_t v;

	if (tool_u64_parse(s, 0, HSL_LINK_MAX - 1, &v))
		return tool_usage("--link %s: not the number of a link", s);
	*link = (uint32_t)v;
	return TOOL_PASS;
}

static int parse_time(const char *option, const char *s, uint64_t *ns)
{
	if (tool_duration_parse(s, ns) || !*ns)
		return tool_usage("%s %s: not a time (500ms, 2s, 1m)", option, s);
	return TOOL_PASS;
}

static int parse_lang(const char *s, bool *chinese)
{
	*chinese = !strcmp(s, "zh_CN");
	if (!*chinese && strcmp(s, "en"))
		return tool_usage("--lang %s: en or zh_CN", s);
	return TOOL_PASS;
}

/* As gettext would: the first of these that is set. */
static bool chinese_by_default(void)
{
	static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };

	for (int i = 0; i < 3; i++) {
		const char *s = getenv(names[i]);

		if (s && *s)
			return !strncmp(s, "zh", 2);
	}
	return false;
}

int main(int argc, char **argv)
{
	/* long options without a letter: where their GIVEN_* is */
	static const struct option options[] = {
		{ "fabric", required_argument, NULL, 'f' },
		{ "write", required_argument, NULL, 'w' },
		{ "output", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ "json", no_argument, NULL, 'j' },
		{ "pci", no_argument, NULL, GIVEN_PCI },
		{ "chip", required_argument, NULL, GIVEN_CHIP },
		{ "force", no_argument, NULL, GIVEN_FORCE },
		{ "node", required_argument, NULL, GIVEN_NODE },
		{ "link", required_argument, NULL, GIVEN_LINK },
		{ "nonzero", no_argument, NULL, GIVEN_NONZERO },
		{ "interval", required_argument, NULL, GIVEN_INTERVAL },
		{ "watch", no_argument, NULL, GIVEN_WATCH },
		{ "for", required_argument, NULL, GIVEN_FOR },
		{ "lang", required_argument, NULL, GIVEN_LANG },
		{ 0 }
	};
	struct ctl_args a = { .link = CTL_LINK_ALL };
	unsigned int given = 0;
	int c, code = TOOL_PASS;

	tool_begin("hslctl");
	opterr = 0;
	a.command = split_command(&argc, argv);
	if (a.command) {
		given |= GIVEN_COMMAND;
		if (!a.command[0])
			return tool_usage("a command is missing after --");
	}
	while ((c = getopt_long(argc, argv, "f:o:w:hV", options, NULL)) != -1) {
		switch (c) {
		case 'f': a.url = optarg; continue;
		case 'j': a.json = true; continue;
		case 'h': fputs(help, stdout); return tool_finish(TOOL_PASS);
		case 'V': tool_version(); return tool_finish(TOOL_PASS);
		case '?':
			return tool_usage("unknown option or missing value: %s", argv[optind - 1]);
		case 'w':
			a.file = optarg;
			c = GIVEN_WRITE;
			break;
		case 'o':
			a.file = optarg;
			c = GIVEN_OUTPUT;
			break;
		case GIVEN_PCI: a.pci = true; break;
		case GIVEN_FORCE: a.force = true; break;
		case GIVEN_NONZERO: a.nonzero = true; break;
		case GIVEN_WATCH: a.watch = true; break;
		case GIVEN_CHIP: code = parse_node("--chip", optarg, &a.chip); break;
		case GIVEN_NODE: code = parse_node("--node", optarg, &a.node); break;
		case GIVEN_LINK: code = parse_link(optarg, &a.link); break;
		case GIVEN_INTERVAL: code = parse_time("--interval", optarg, &a.interval_ns); break;
		case GIVEN_LANG: code = parse_lang(optarg, &a.chinese); break;
		case GIVEN_FOR: code = parse_time("--for", optarg, &a.for_ns); break;
		}
		if (code)
			return code;
		given |= (unsigned int)c;
	}
	/* documents are for programs, which have no locale in mind */
	if (!(given & GIVEN_LANG) && !a.json)
		a.chinese = chinese_by_default();
	if (optind >= argc)
		return tool_usage("a verb is missing: " VERBS);
	a.word = argv + optind + 1;
	a.nwords = argc - optind - 1;
	return run_verb(&a, argv[optind], given);
}
