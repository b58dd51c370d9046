// SPDX-License-Identifier: MIT OR Apache-2.0
/* Completion status: its name and the errno it maps to (docs/hep.md section 6). */
#include "priv.h"

static const struct {
	const char *name;
	int error;
} table[HSL_ST_COUNT] = {
	[HSL_ST_OK]		= { "ok", 0 },
	[HSL_ST_OPCODE]		= { "bad-opcode", -EOPNOTSUPP },
	[HSL_ST_FIELD]		= { "bad-field", -EINVAL },
	[HSL_ST_LENGTH]		= { "too-long", -EMSGSIZE },
	[HSL_ST_ALIGN]		= { "misaligned", -EINVAL },
	[HSL_ST_SEGMENT]	= { "no-segment", -EFAULT },
	[HSL_ST_RANGE]		= { "out-of-range", -ERANGE },
	[HSL_ST_RIGHTS]		= { "no-right", -EACCES },
	[HSL_ST_DENIED]		= { "denied", -EPERM },
	[HSL_ST_UNREACHABLE]	= { "unreachable", -EHOSTUNREACH },
	[HSL_ST_DMA]		= { "dma-error", -EIO },
	[HSL_ST_ABORTED]	= { "aborted", -ECANCELED },
	[HSL_ST_REVOKED]	= { "revoked", -ESTALE },
	[HSL_ST_TIMEOUT]	= { "timeout", -ETIMEDOUT },
	[HSL_ST_POISON]		= { "poison", -EBADMSG },
	[HSL_ST_CONTEXT]	= { "bad-context", -EINVAL },
	[HSL_ST_QUEUE]		= { "bad-queue", -EINVAL },
	[HSL_ST_OVERFLOW]	= { "overflow", -EOVERFLOW },
	[HSL_ST_INTERNAL]	= { "internal", -EIO },
	[HSL_ST_GONE]		= { "gone", -ENODEV },
};

const char *hsl_status_name(unsigned int status)
{
	return status < HSL_ST_COUNT ? table[status].name : "unknown";
}

int hsl_status_errno(unsigned int status)
{
	return status < HSL_ST_COUNT ? table[status].error : -EIO;
}
