// SPDX-License-Identifier: MIT OR Apache-2.0
/* hslctl: arguments, and what its verbs share. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "exit.h"
#include "hsl/hsl.h"
#include "hslctl.h"
#include "json.h"
#include "size.h"

static const char help[] =
	"usage: hslctl list   [--pci] [options]\n"
	"       hslctl topo   [options]\n"
	"       hslctl doctor [options]\n"
	"       hslctl mem    [online SIZE|offline] [--chip NODE] [--force] [options]\n"
	"\n"
	"  list      the chips of a fabric: memory, queues, links, driver\n"
	"  topo      its links, and the number of hops between any two chips\n"
	"  doctor    checks every layer from the kernel module to a command on each chip, and says\n"
	"            which one is broken and what to do\n"
	"  mem       memory of the chips, and how much of it is online as a NUMA node.\n"
	"            online SIZE: give the upper SIZE of a chip to the kernel; offline: take it back,\n"
	"            unless it is in use. Root only\n"
	"\n"
	"  -f, --fabric URL   /dev/hsl0, sim:mesh4, ...  (default: $HSL_FABRIC, first device;\n"
	"                     doctor: every device)\n"
	"      --pci          list: also the PCI functions, as the bus shows them without a driver.\n"
	"                     Extended configuration space, where the DVSEC is, is shown to root only\n"
	"      --chip NODE    mem online, offline: which chip, if there are several\n"
	"      --force        mem offline: move what is in use to other memory\n"
	"      --json         one document (schema hslctl/1) on standard output\n"
	"  -h, --help   -V, --version\n"
	"\n"
	"Exit status: 0 good, 1 doctor found something broken or mem was refused, 2 usage,\n"
	"3 no usable fabric.\n";

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
	if (rc) {
		tool_error("cannot write: %s", strerror(-rc));
		return TOOL_ENV;
	}
	return code;
}

const char *ctl_chip_state(uint32_t state)
{
	static const char *const names[] = { "ready", "resetting", "failed" };

	return state < 3 ? names[state] : "unknown";
}

const char *ctl_link_state(uint32_t state)
{
	static const char *const names[] = { "Detect", "Polling",  "Config",  "L0",
					     "L1",     "Recovery", "Disabled" };

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

/* What follows "mem". */
static int mem_words(struct ctl_args *a, int n, char **word)
{
	bool online = n > 0 && !strcmp(word[0], "online");

	if (a->pci)
		return tool_usage("--pci goes with list");
	if (n > 0 && !online && strcmp(word[0], "offline"))
		return tool_usage("mem '%s': online SIZE or offline", word[0]);
	if (online && n < 2)
		return tool_usage("mem online: a size is missing");
	if (n > 1 + online)
		return tool_usage("'%s' is one word too many", word[1 + online]);
	if (a->force && (n < 1 || online))
		return tool_usage("--force goes with mem offline");
	a->action = n > 0 ? word[0] : NULL;
	a->size = online ? word[1] : NULL;
	return tool_finish(ctl_mem(a));
}

int main(int argc, char **argv)
{
	enum { OPT_PCI = 256, OPT_JSON, OPT_CHIP, OPT_FORCE };
	static const struct option options[] = {
		{ "fabric", required_argument, NULL, 'f' }, { "pci", no_argument, NULL, OPT_PCI },
		{ "json", no_argument, NULL, OPT_JSON },    { "help", no_argument, NULL, 'h' },
		{ "chip", required_argument, NULL, OPT_CHIP }, { "force", no_argument, NULL, OPT_FORCE },
		{ "version", no_argument, NULL, 'V' },	    { 0 }
	};
	static const struct {
		const char *name;
		int (*run)(const struct ctl_args *a);
	} verbs[] = { { "list", ctl_list }, { "topo", ctl_topo }, { "doctor", ctl_doctor },
		      { "mem", ctl_mem } };
	struct ctl_args a = { 0 };
	uint64_t node;
	unsigned int i;
	int c;

	tool_name = "hslctl";
	opterr = 0;
	while ((c = getopt_long(argc, argv, "f:hV", options, NULL)) != -1) {
		switch (c) {
		case 'f': a.url = optarg; break;
		case OPT_PCI: a.pci = true; break;
		case OPT_JSON: a.json = true; break;
		case OPT_FORCE: a.force = true; break;
		case OPT_CHIP:
			if (tool_u64_parse(optarg, 1, HSL_NODE_HOST_DEFAULT - 1, &node))
				return tool_usage("--chip %s: not a chip's node id", optarg);
			a.chip = (uint32_t)node;
			break;
		case 'h': fputs(help, stdout); return tool_finish(TOOL_PASS);
		case 'V': return tool_version();
		default: return tool_usage("unknown option or missing value: %s", argv[optind - 1]);
		}
	}
	if (optind >= argc)
		return tool_usage("a verb is missing: list, topo, doctor or mem");
	if (!strcmp(argv[optind], "mem"))
		return mem_words(&a, argc - optind - 1, argv + optind + 1);
	if (a.chip || a.force)
		return tool_usage("--chip and --force go with mem");
	if (optind + 1 < argc)
		return tool_usage("'%s' is one word too many", argv[optind + 1]);
	if (a.pci && strcmp(argv[optind], "list"))
		return tool_usage("--pci goes with list");
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!strcmp(argv[optind], verbs[i].name))
			return tool_finish(verbs[i].run(&a));
	}
	return tool_usage("unknown verb '%s': list, topo, doctor or mem", argv[optind]);
}
