/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An end of a link at a flit socket for a tester (docs/flit-socket.md; docs/hep.md sections 8.3, 8.4, 12). It behaves as an end has to,
 * but for what a test tells it to do else, and shares the contract's headers with the model and no code.
 *
 * Who calls sees virtual time: it passes in fe_step only. A device that breaks the rules of the socket, hangs or goes ends the test
 * (ht_finish), so nothing here returns an error.
 */
#ifndef HSLTEST_FLIT_END_H
#define HSLTEST_FLIT_END_H

#include "hsl/flit_socket.h"
#include "hsltest.h"
#include "trace.h"

#define FE_US UINT64_C(1000000) /* in ps */
#define FE_MS (1000 * FE_US)
#define FE_NUMBERS (1u << HSL_FLIT_SEQ_BITS)

struct fe_url { /* flit:unix:PATH[,patience=SECONDS] */
	char path[108];
	unsigned int patience_s;
};
bool fe_url_parse(const char *url, struct fe_url *u); /* url NULL: the default of all tools */

union fe_pkt {
	struct hsl_pkt_hdr h;
	struct hsl_pkt_snp snp;
	struct hsl_pkt_atomic atomic;
	struct hsl_pkt_data data;
	struct hsl_pkt_wr_data wr;
	uint8_t slot[HSL_PKT_SLOTS_MAX][HSL_SLOT_BYTES];
};

struct fe_seen { /* what came from the device, in order */
	uint64_t at_ps;
	bool is_ts, taken; /* taken: a flit of the number that was expected */
	struct hsl_ts ts;
	uint16_t number, ack; /* fields hdr and ack of a flit */
};

struct fe_record { /* as the device's end captures it */
	uint64_t time_ps;
	uint64_t order;
	uint8_t kind;
	bool from_dut;
	uint8_t body[HSL_FLIT_BYTES];
};

struct fe {
	struct ht *t;
	struct fe_url url;
	int fd;
	struct hsl_fs_hello own, dut;
	uint8_t rx[1 << 16];
	size_t rx_used;

	/* time: what each side has promised, and which messages of ours the device has taken */
	uint64_t now_ps, promise_ps, dut_seen, sent, taken, told_ps, told_max_ps, told_taken;
	uint64_t sent_at[FE_NUMBERS * 4];
	bool told, wanted, asked;
	struct fe_arrival *queue;
	size_t head, queued, room;

	/* link states */
	uint32_t state; /* HSL_LTSSM_* */
	uint16_t round, dut_round, lanes, dut_lanes;
	uint32_t rate, dut_rate, width;
	uint64_t next_ts_ps, line_free_ps;
	bool fresh;

	/* link layer */
	uint32_t next, acked, expected, told_expected;
	uint32_t used[HSL_VC_COUNT], heard[HSL_VC_COUNT], freed[HSL_VC_COUNT];
	struct hsl_flit kept[FE_NUMBERS];
	uint64_t replay_ps;
	bool nak_sent, say, say_nak;
	union fe_pkt in;
	uint32_t have, need;

	/* what a test does else than an end has to */
	bool mute;	   /* no training sets are sent, and those of the device not followed */
	bool hold_ack;	   /* what arrives is taken and not acknowledged */
	bool deaf;	   /* what arrives is lost */
	bool no_replay;	   /* nothing of ours is sent again by itself */
	bool twice;	   /* each flit with slots leaves twice */

	/* what was seen */
	struct fe_seen *seen;
	size_t nseen, seen_room;
	uint64_t excess; /* credits for what was never sent */
	char excess_text[96];
	uint64_t naks, trainings; /* of the device; times that the link came to L0 */
	struct fe_packet {
		uint64_t at_ps;
		union fe_pkt p;
	} *packets;
	size_t npackets, packets_room;

	struct fe_record *records;
	size_t nrecords, records_room;
};

/* Connects and exchanges HELLOs. */
struct fe *fe_open(struct ht *t);
/* The HELLO of a device alone: 0, or -errno of connect(2); -EPROTO: no HELLO, and why is said. */
int fe_hello(const struct fe_url *u, struct hsl_fs_hello *hello, char *why, size_t len);
void fe_close(struct fe *e); /* says BYE */
/* One event up to end_ps; false: there is none any more, and it is end_ps now. */
bool fe_step(struct fe *e, uint64_t end_ps);
void fe_run(struct fe *e, uint64_t ps); /* all events of so long */
/* True as soon as cond holds, false after ps of virtual time. */
#define FE_WAIT(e, ps, cond)                                           \
	({                                                             \
		const uint64_t end_ = (e)->now_ps + (ps);              \
		while (!(cond) && fe_step(e, end_)) {                  \
		}                                                      \
		(cond);                                                \
	})

void fe_train(struct fe *e);   /* to L0, or the test fails */
void fe_retrain(struct fe *e); /* from L0: RECOVERY begins */

/* ---- packets and flits ---- */
unsigned int fe_pkt_slots(uint8_t opcode);
unsigned int fe_pkt_vc(uint8_t opcode);
/* Sends packets in one flit, when there is credit and the window has room. */
void fe_send(struct fe *e, const union fe_pkt *p, unsigned int n);
/* The flit that fe_send would send, sealed; it counts as sent when commit is set. */
void fe_build(struct fe *e, struct hsl_flit *f, const union fe_pkt *p, unsigned int n, bool commit);
void fe_seal(struct hsl_flit *f);
void fe_raw(struct fe *e, const struct hsl_flit *f); /* these 256 bytes */
void fe_line(struct fe *e, const struct hsl_ts *ts);
struct hsl_ts fe_ts(const struct fe *e, uint8_t type, uint8_t flags); /* as an end has to say it now */
uint32_t fe_width(uint32_t lanes); /* the widest of x16, x8, x4, x1; 0: none */
void fe_idle(struct fe *e, bool nak);
void fe_again(struct fe *e, uint32_t from); /* all from this number on */
uint32_t fe_ahead(const struct fe *e, uint32_t from, uint32_t to);

/* What all that crossed the link shows, as captured at the device's end. */
void fe_judge(struct fe *e, struct ht_trace_result *res);

#endif
