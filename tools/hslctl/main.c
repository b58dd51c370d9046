// SPDX-License-Identifier: MIT OR Apache-2.0
/* hslctl: arguments, and what its verbs share. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "exit.h"
#include "hsl/hsl.h"
#include "hslctl.h"
#include "json.h"

static const char help[] =
	"usage: hslctl list   [--pci] [options]\n"
	"       hslctl topo   [options]\n"
	"       hslctl doctor [options]\n"
	"\n"
	"  list      the chips of a fabric: memory, queues, links, driver\n"
	"  topo      its links, and the number of hops between any two chips\n"
	"  doctor    checks every layer from the kernel module to a command on each chip, and says\n"
	"            which one is broken and what to do\n"
	"\n"
	"  -f, --fabric URL   /dev/hsl0, sim:mesh4, ...  (default: $HSL_FABRIC, first device;\n"
	"                     doctor: every device)\n"
	"      --pci          list: also the PCI functions, as the bus shows them without a driver.\n"
	"                     Extended configuration space, where the DVSEC is, is shown to root only\n"
	"      --json         one document (schema hslctl/1) on standard output\n"
	"  -h, --help   -V, --version\n"
	"\n"
	"Exit status: 0 good, 1 doctor found something broken, 2 usage, 3 no usable fabric.\n";

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

int main(int argc, char **argv)
{
	enum { OPT_PCI = 256, OPT_JSON };
	static const struct option options[] = {
		{ "fabric", required_argument, NULL, 'f' }, { "pci", no_argument, NULL, OPT_PCI },
		{ "json", no_argument, NULL, OPT_JSON },    { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },	    { 0 }
	};
	static const struct {
		const char *name;
		int (*run)(const struct ctl_args *a);
	} verbs[] = { { "list", ctl_list }, { "topo", ctl_topo }, { "doctor", ctl_doctor } };
	struct ctl_args a = { 0 };
	unsigned int i;
	int c;

	tool_name = "hslctl";
	opterr = 0;
	while ((c = getopt_long(argc, argv, "f:hV", options, NULL)) != -1) {
		switch (c) {
		case 'f': a.url = optarg; break;
		case OPT_PCI: a.pci = true; break;
		case OPT_JSON: a.json = true; break;
		case 'h': fputs(help, stdout); return tool_finish(TOOL_PASS);
		case 'V': return tool_version();
		default: return tool_usage("unknown option or missing value: %s", argv[optind - 1]);
		}
	}
	if (optind >= argc)
		return tool_usage("a verb is missing: list, topo or doctor");
	if (optind + 1 < argc)
		return tool_usage("'%s' is one word too many", argv[optind + 1]);
	if (a.pci && strcmp(argv[optind], "list"))
		return tool_usage("--pci goes with list");
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!strcmp(argv[optind], verbs[i].name))
			return tool_finish(verbs[i].run(&a));
	}
	return tool_usage("unknown verb '%s': list, topo or doctor", argv[optind]);
}
