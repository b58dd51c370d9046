// SPDX-License-Identifier: MIT OR Apache-2.0
/* hslctl: events of the fabric, in words and as fields of a document. */
#include <inttypes.h>
#include <stdio.h>

#include "hsl/hsl.h"
#include "hslctl.h"
#include "json.h"

bool ctl_event(const struct ctl_args *a, const struct hsl_fabric_event *e, char text[CTL_EVENT_LEN],
	       struct json_object *o)
{
	const char *type, *state = NULL;

	if (e->type != HSL_FABRIC_EV_OVERFLOW && a->node && a->node != e->node)
		return false;
	switch (e->type) {
	case HSL_FABRIC_EV_OVERFLOW:
		type = "lost";
		snprintf(text, CTL_EVENT_LEN, "%u events were lost: too many at once", e->value);
		break;
	case HSL_FABRIC_EV_CHIP_ADD:
		type = "chip-add";
		snprintf(text, CTL_EVENT_LEN, "chip %u has come", e->node);
		break;
	case HSL_FABRIC_EV_CHIP_REMOVE:
		type = "chip-remove";
		snprintf(text, CTL_EVENT_LEN, "chip %u has left", e->node);
		break;
	case HSL_FABRIC_EV_CHIP_STATE:
		type = "chip-state";
		state = ctl_chip_state(e->value);
		snprintf(text, CTL_EVENT_LEN, "chip %u: %s", e->node, state);
		break;
	case HSL_FABRIC_EV_LINK:
		if (a->link != CTL_LINK_ALL && a->link != e->index)
			return false;
		type = "link";
		state = ctl_link_state(e->value);
		snprintf(text, CTL_EVENT_LEN, "chip %u link %u: %s", e->node, e->index, state);
		break;
	default:
		return false;
	}
	tool_json_u64(o, "seq", e->seq);
	tool_json_u64(o, "time_ns", e->time_ns);
	tool_json_str(o, "type", type);
	if (e->type == HSL_FABRIC_EV_OVERFLOW) {
		tool_json_u64(o, "lost", e->value);
		return true;
	}
	tool_json_u64(o, "node", e->node);
	if (e->type == HSL_FABRIC_EV_LINK)
		tool_json_u64(o, "link", e->index);
	tool_json_str(o, "state", state);
	return true;
}

void ctl_event_head(FILE *out)
{
	fprintf(out, "     seq     seconds  event (ctrl-C ends)\n");
}

void ctl_event_line(FILE *out, uint64_t seq, uint64_t time_ns, const char *text)
{
	char number[24] = "-";

	if (seq)
		snprintf(number, sizeof(number), "%" PRIu64, seq);
	fprintf(out, "%8s  %6" PRIu64 ".%06" PRIu64 "  %s\n", number, time_ns / 1000000000,
		time_ns / 1000 % 1000000, text);
}
