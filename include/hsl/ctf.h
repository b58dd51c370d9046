/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The compliance test facility of a chip (docs/hep.md section 10.2): what a tester needs and software does not. A page of
 * 4 KiB in the register BAR, at the offset that the DVSEC tells (HSL_DVSEC_O_CTF); present if HSL_CAP_CTF is.
 *
 * It is a mailbox: select LINK, write ARG0 to ARG2, write CMD. The command is done when the write is; STATUS holds an HSL_ST_*
 * code, RESULT0 and RESULT1 its answer. Outside test mode every register but ID, CAP and KEY reads as zero and ignores
 * writes. Leaving test mode, CTRL.RESET and FLR disarm all of it; what happened to the chip or its memory (FATAL, POISON) stays.
 *
 * Commands act on what leaves this end of the selected link, and see what this end sends and receives, except as noted.
 * What was under way arrives before a command, so that CREDITS, COUNT and LINE tell what will stay.
 * Offsets are from the page's start; registers are as wide as noted, accessed as all others (include/hsl/regs.h).
 */
#ifndef HSL_CTF_H
#define HSL_CTF_H

#include "proto.h"

#define HSL_CTF_BYTES		0x1000u
#define HSL_CTF_OFFSET_DEFAULT	0xe000u		/* of the emulated chip */

#define HSL_CTF_ID		0x000		/* u32 RO */
#define HSL_CTF_ID_VALUE	0x31465443u	/* "CTF1" */
#define HSL_CTF_CAP		0x004		/* u32 RO: bit n: command n is there */
#define HSL_CTF_KEY		0x008		/* u32 RW: writing HSL_CTF_UNLOCK enters test mode, anything else leaves it; reads 1 in it, else 0 */
#define HSL_CTF_UNLOCK		0x54534554u	/* "TEST" */
#define HSL_CTF_LINK		0x00c		/* u32 RW: link block that commands are about */
#define HSL_CTF_CMD		0x010		/* u32 WO: HSL_CTF_CMD_* */
#define HSL_CTF_STATUS		0x014		/* u32 RO: HSL_ST_* of the last command: OK, OPCODE (not there), FIELD (an argument), UNREACHABLE (no such link), INTERNAL (no memory), or as noted */
#define HSL_CTF_ARG0		0x018		/* u64 RW */
#define HSL_CTF_ARG1		0x020		/* u64 RW */
#define HSL_CTF_ARG2		0x028		/* u64 RW */
#define HSL_CTF_RESULT0		0x030		/* u64 RO */
#define HSL_CTF_RESULT1		0x038		/* u64 RO */
#define HSL_CTF_FLIT		0x100		/* 256 bytes RW: flit for CMD_SEND */
#define HSL_CTF_RECORD		0x200		/* HSL_CTF_RECORD_BYTES RO: what CMD_NEXT took */
#define HSL_CTF_RECORD_BYTES	272		/* header of docs/capture.md, then flit, training set or state */

/*
 * Errors at random on the wire: ARG0 HSL_CTF_WIRE_*; ARG1 probability in units of 2^-64, all ones: always; ARG2 bits of a burst
 * (2 to 2048) or places of reordering. WIRE_SEED: ARG1 is the seed from which they are drawn from now on.
 */
#define HSL_CTF_CMD_WIRE	1
#define HSL_CTF_WIRE_SEED	0
#define HSL_CTF_WIRE_BIT	1		/* per bit */
#define HSL_CTF_WIRE_BURST	2		/* per flit, as all below */
#define HSL_CTF_WIRE_DROP	3
#define HSL_CTF_WIRE_DUPLICATE	4
#define HSL_CTF_WIRE_REORDER	5
/*
 * Errors of chosen flits: ARG0 HSL_CTF_ARM_*; ARG1 flits of type data to let pass first [31:0], then to hit [63:32], 0: disarm;
 * ARG2 as noted. One arming per end at a time: a new one replaces it. RESULT0: flits that the one before had left.
 */
#define HSL_CTF_CMD_ARM		2
#define HSL_CTF_ARM_CRC		1		/* ARG2: bit of the flit that is inverted, 0 to 2047 */
#define HSL_CTF_ARM_DROP	2
#define HSL_CTF_ARM_DUPLICATE	3
#define HSL_CTF_ARM_REORDER	4		/* ARG2: places late, 1 to the profile's R */
#define HSL_CTF_ARM_DELAY	5		/* ARG2: picoseconds late, less than the replay time; flits behind it wait */
#define HSL_CTF_ARM_POISON	6		/* hits packets, not flits: those with data leave with POISON */
#define HSL_CTF_ARM_SWALLOW	7		/* hits packets: requests of this chip's agents over this link are lost before the link layer: timeouts */
/* RESULT0: errors that this end has injected since the chip got power; RESULT1: flits that the arming has left to pass or hit. */
#define HSL_CTF_CMD_COUNT	3
/* ARG0: 0 enable, 1 disable, 2 retrain, 3 hot reset of the other end. */
#define HSL_CTF_CMD_STATE	4
#define HSL_CTF_STATE_ENABLE	0
#define HSL_CTF_STATE_DISABLE	1
#define HSL_CTF_STATE_RETRAIN	2
#define HSL_CTF_STATE_HOT_RESET	3
#define HSL_CTF_STATE_LEAVE	4	/* disabled as soon as packets go other ways; UNREACHABLE if there is none */
/* ARG0: receiving lane of this end; ARG1: 0 it fails, 1 it works. */
#define HSL_CTF_CMD_LANE	5
/*
 * ARG0: bit v: slots of VC v that this end frees are not returned as credit until the bit is clear. Commands of an emulated chip that
 * need it fail with INTERNAL, what they had written takes effect later; a load of a CPU that does reads as all ones.
 */
#define HSL_CTF_CMD_FREEZE	6
/* ARG0: VC. RESULT0: slots that may be sent; RESULT1: slots received and not freed. */
#define HSL_CTF_CMD_CREDITS	7
/*
 * ARG0: HSL_CTF_PRESET_*; ARG1: value. SEQ: the number of the first flit, of both directions, from the next training through DETECT on; tell
 * both ends. Times in ps are taken at once, 0: the default.
 */
#define HSL_CTF_CMD_PRESET	8
#define HSL_CTF_PRESET_SEQ	0
#define HSL_CTF_PRESET_ACK_PS	1
#define HSL_CTF_PRESET_REPLAY_PS 2
/*
 * ARG0: GA of a line. RESULT0: state letters 'I' 'S' 'E' 'M' of the chip's cache [7:0] and of its host port's [15:8]; if the line's home is
 * this chip its directory's, 'I' 'S' 'O' 'P', [23:16], and of its memory: poisoned [24]; RESULT1: agents the directory gives it to, chips 1 to 64.
 */
#define HSL_CTF_CMD_LINE	9
/* ARG0: GA of a line of this chip; ARG1: 1 poisoned in memory, 0 not any more. Caches are not asked. */
#define HSL_CTF_CMD_POISON	10
/*
 * ARG0: 0 off, 1 near: what this end sends comes back to it; 2 far: what it receives goes back to the peer, in place of its own. Such
 * a link carries no packets, as if it were down; with 0 both ends go through DETECT.
 */
#define HSL_CTF_CMD_LOOPBACK	11
/*
 * The 256 bytes at FLIT are put on the wire as they are, when it is free next; the link layer does not know of them. UNREACHABLE: this
 * end is not in L0. An emulated link goes through DETECT if the other end takes them for the next flit of its peer.
 */
#define HSL_CTF_CMD_SEND	12
/*
 * ARG0: bits HSL_CTF_CAPTURE_*, 0: stop. What is captured waits for CMD_NEXT; at most RESULT0 records fit, later ones are counted
 * as lost. Starting forgets what waits.
 */
#define HSL_CTF_CMD_CAPTURE	13
#define HSL_CTF_CAPTURE_TX	1u
#define HSL_CTF_CAPTURE_RX	2u
#define HSL_CTF_CAPTURE_ALL_LINKS 4u		/* of this chip, else the selected one */
/* RESULT0: 1 the oldest record is in RECORD now, 0 there is none; RESULT1: records lost since CMD_CAPTURE. */
#define HSL_CTF_CMD_NEXT	14
/* ARG0: entry of the log of this end, 0 the oldest kept. RESULT0: ps since power-on; RESULT1: from [7:0], to [15:8]. RANGE: no such entry (yet). */
#define HSL_CTF_CMD_LOG		15
/*
 * The chip has a fatal error (section 10): STATUS.FATAL, EVENT.FATAL, and nothing of modelled memory goes between it and others any more.
 * Leaving test mode does not undo it, FLR does. A driver that hears of it resets the chip, which ends test mode.
 */
#define HSL_CTF_CMD_FATAL	16

#endif /* HSL_CTF_H */
