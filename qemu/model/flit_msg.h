/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Messages of the flit socket (include/hsl/flit_socket.h): from bytes that anybody may have sent to checked values,
 * and back. No sockets here, and no state.
 */
#ifndef HSL_MODEL_FLIT_MSG_H
#define HSL_MODEL_FLIT_MSG_H

#include "hsl/flit_socket.h"
#include "link.h"

union hsl_flit_msg {
    struct hsl_fs_hdr hdr;
    struct hsl_fs_hello hello;
    struct hsl_fs_line line;
    struct hsl_fs_flit flit;
    struct hsl_fs_time time;
    struct hsl_fs_bye bye;
};

/*
 * The first message of len bytes: how many it has, 0: not all of it is there yet, -EPROTO: it is none, *why says so in
 * one English sentence. Everything but what HELLO says is checked.
 */
int hsl_flit_msg_take(const uint8_t *bytes, size_t len, union hsl_flit_msg *out, const char **why);
/* Zeroed, with its header. */
void hsl_flit_msg_begin(union hsl_flit_msg *m, enum hsl_fs_type type, uint64_t time_ps);
/* Parameters of an end. NULL, or why two of them do not fit, in one English sentence. */
void hsl_flit_msg_hello(union hsl_flit_msg *m, const struct hsl_link_cfg *link);
const char *hsl_flit_msg_fits(const struct hsl_fs_hello *own, const struct hsl_fs_hello *other);
/* Those of section 8.3; the others of `link` stay. */
void hsl_flit_msg_link(const struct hsl_fs_hello *h, struct hsl_link_cfg *link);
const char *hsl_flit_msg_reason(uint32_t reason);

#endif
