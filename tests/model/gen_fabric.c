/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * gen_fabric FILE.pcapng TOPOLOGY CHIPS SEED OPS [ERRORS]: agents of a modelled fabric load, store
 * and so on, on a few lines of every chip, and everything that its links carry is written to a
 * capture (docs/capture.md). TOPOLOGY: mesh, ring, switch. ERRORS: probability that a wire loses a
 * flit, and half of that for damage. The capture begins before the links train and ends with
 * nothing under way.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/capture.h"

#define LINES	4u		/* of each chip */

struct run {
	struct hsl_fab_cfg cfg;
	struct hsl_fab *fab;
	FILE *file;
	uint64_t rng, ops, outstanding;
	uint8_t memory[HSL_FAB_NODES_MAX + 1][LINES][HSL_LINE_BYTES];
};

static void die(const char *what)
{
	fprintf(stderr, "gen_fabric: %s\n", what);
	exit(1);
}

static uint32_t below(struct run *r, uint32_t n)	/* splitmix64 */
{
	uint64_t z = r->rng += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ (z >> 31)) % n);
}

/* ---- the capture ---- */

static void write_block(struct run *r, const uint8_t *block, size_t len)
{
	if (fwrite(block, 1, len, r->file) != len)
		die("cannot write the capture");
}

static void write_head(struct run *r)
{
	uint8_t block[HSL_PCAPNG_BLOCK_MAX];
	size_t len;

	for (uint32_t i = 0; (len = hsl_capture_head(r->fab, i, "gen_fabric", block)); i++)
		write_block(r, block, len);
}

static void write_records(struct run *r)
{
	uint8_t block[HSL_PCAPNG_BLOCK_MAX];
	struct hsl_fab_record rec;

	while (hsl_fab_record(r->fab, &rec))
		write_block(r, block, hsl_capture_record(r->fab, &rec, block));
}

/* ---- the fabric ---- */

static void memory(struct run *r, uint32_t node, const struct hsl_mem_op *op)
{
	struct hsl_fab_in in = { .type = HSL_FAB_MEM, .u.mem = { .node = node, .id = op->id } };
	uint8_t *line = r->memory[node][op->offset / HSL_LINE_BYTES % LINES];

	if (op->write) {
		memcpy(line, op->data, HSL_LINE_BYTES);
		return;
	}
	memcpy(in.u.mem.data, line, HSL_LINE_BYTES);
	if (hsl_fab_post(r->fab, &in))
		die("the fabric refused an answer of memory");
}

static void drain(struct run *r)
{
	struct hsl_fab_out o;

	write_records(r);
	while (hsl_fab_drain(r->fab, &o)) {
		switch (o.type) {
		case HSL_FAB_OUT_ACCESS:
			r->outstanding--;
			break;
		case HSL_FAB_OUT_MEM:
			memory(r, o.u.mem.node, &o.u.mem.op);
			break;
		case HSL_FAB_OUT_LINK:
			break;
		}
	}
}

/* False: nothing is pending. */
static bool step(struct run *r)
{
	if (hsl_fab_step(r->fab) != 1)
		return false;
	drain(r);
	return true;
}

static void access_something(struct run *r)
{
	static const uint8_t ops[] = {
		HSL_ACCESS_LOAD, HSL_ACCESS_LOAD, HSL_ACCESS_STORE, HSL_ACCESS_STORE,
		HSL_ACCESS_READ, HSL_ACCESS_WRITE, HSL_ACCESS_ATOMIC, HSL_ACCESS_FLUSH,
	};
	struct hsl_fab_in in = { .type = HSL_FAB_ACCESS };
	struct hsl_access *x = &in.u.access.x;
	uint32_t node = 1 + below(r, r->cfg.nodes), offset = below(r, LINES) * HSL_LINE_BYTES;
	int ret;

	in.u.access.agent = (uint16_t)(1 + below(r, r->cfg.nodes));
	if (below(r, 3) == 0)
		in.u.access.agent |= HSL_AGENT_HOST_PORT;
	x->op = ops[below(r, sizeof(ops))];
	x->len = 8;
	x->subop = HSL_ATOMIC_ADD;
	x->arg0 = 1;
	x->ga = HSL_GA(node, offset + 8 * below(r, HSL_LINE_BYTES / 8));
	memset(x->data, (int)below(r, 256), sizeof(x->data));
	ret = hsl_fab_post(r->fab, &in);
	if (ret == -EAGAIN)
		return;
	if (ret)
		die("the fabric refused an access");
	r->outstanding++;
	r->ops--;
	drain(r);
}

static bool all_up(const struct run *r)
{
	uint32_t a, b;

	for (uint32_t i = 0; hsl_fab_end(r->fab, i, &a, &b); i++)
		if (hsl_fab_phy(r->fab, a, b)->state != HSL_LTSSM_L0)
			return false;
	return true;
}

static enum hsl_topology topology(const char *name)
{
	if (!strcmp(name, "mesh"))
		return HSL_TOPO_MESH;
	if (!strcmp(name, "ring"))
		return HSL_TOPO_RING;
	if (!strcmp(name, "switch"))
		return HSL_TOPO_SWITCH;
	die("no such topology");
	return HSL_TOPO_MESH;
}

static void make(struct run *r, double errors)
{
	size_t bytes;

	hsl_fab_defaults(&r->cfg);
	r->cfg.seed = r->rng;
	r->cfg.errors.drop = hsl_wire_probability(errors);
	r->cfg.errors.bit_error = hsl_wire_probability(errors / 2 / (8 * HSL_FLIT_BYTES));
	if (hsl_fab_check(&r->cfg))
		die(hsl_fab_check(&r->cfg));
	bytes = (hsl_fab_size(&r->cfg) + 63) & ~(size_t)63;
	r->fab = aligned_alloc(64, bytes);
	if (!r->fab || hsl_fab_init(r->fab, bytes, &r->cfg))
		die("no memory for the fabric");
}

int main(int argc, char **argv)
{
	static struct run r;
	struct hsl_fab_in tap = {
		.type = HSL_FAB_TAP, .u.tap.what = HSL_FAB_TAP_TX | HSL_FAB_TAP_RX,
	};

	if (argc < 6 || argc > 7) {
		fprintf(stderr, "usage: gen_fabric FILE.pcapng TOPOLOGY CHIPS SEED OPS [ERRORS]\n");
		return 2;
	}
	r.cfg.topology = topology(argv[2]);
	r.cfg.nodes = (uint32_t)strtoul(argv[3], NULL, 0);
	r.cfg.profile = *hsl_profile_find("default");
	r.rng = strtoull(argv[4], NULL, 0);
	r.ops = strtoull(argv[5], NULL, 0);
	make(&r, argc > 6 ? strtod(argv[6], NULL) : 0.0);
	r.file = fopen(argv[1], "wb");
	if (!r.file)
		die("cannot open the capture");
	drain(&r);
	if (hsl_fab_post(r.fab, &tap))
		die("the fabric refused a tap");
	write_head(&r);
	while (!all_up(&r))
		if (!step(&r))
			die("the links do not come up");
	while (r.ops || r.outstanding || !hsl_fab_quiet(r.fab)) {
		if (r.ops && below(&r, 4) == 0)
			access_something(&r);
		if (!step(&r) && !r.ops)
			die("the fabric stands still");
	}
	if (fclose(r.file))
		die("cannot write the capture");
	free(r.fab);
	return 0;
}
