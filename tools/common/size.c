// SPDX-License-Identifier: MIT OR Apache-2.0
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "size.h"

/* Digits only: strtoull would take blanks, signs and wrap "-1". */
static int number_parse(const char *s, const char **end, uint64_t *v)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	char *e;

	if (hex ? !isxdigit((unsigned char)s[2]) : !isdigit((unsigned char)s[0]))
		return -EINVAL;
	errno = 0;
	*v = strtoull(s, &e, hex ? 16 : 10);
	if (errno)
		return -ERANGE;
	*end = e;
	return 0;
}

int tool_u64_parse(const char *s, uint64_t min, uint64_t max, uint64_t *v)
{
	const char *end;
	uint64_t n;
	int rc = number_parse(s, &end, &n);

	if (rc)
		return rc;
	if (*end)
		return -EINVAL;
	if (n < min || n > max)
		return -ERANGE;
	*v = n;
	return 0;
}

int tool_size_parse(const char *s, uint64_t *bytes)
{
	static const char prefixes[] = "kmgtpe";
	const char *end, *p;
	unsigned int shift = 0;
	uint64_t n;
	int rc = number_parse(s, &end, &n);

	if (rc)
		return rc;
	p = *end ? strchr(prefixes, tolower((unsigned char)*end)) : NULL;
	if (p) {
		shift = 10 * (unsigned int)(p - prefixes + 1);
		if (end[1] && strcasecmp(end + 1, "ib"))
			return -EINVAL;
	} else if (*end && strcasecmp(end, "b")) {
		return -EINVAL;
	}
	if (n > UINT64_MAX >> shift)
		return -ERANGE;
	*bytes = n << shift;
	return 0;
}

int tool_duration_parse(const char *s, uint64_t *ns)
{
	static const struct { const char *unit; double ns; } units[] = {
		{ "", 1e9 }, { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "m",
										       60e9 }, { "h", 3600e9 },
	};
	char *end;
	double v;

	if (!isdigit((unsigned char)s[0]) || (s[0] == '0' && tolower((unsigned char)s[1]) == 'x'))
		return -EINVAL;
	v = strtod(s, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit))
			continue;
		v *= units[i].ns;
		if (!(v < 9.2e18))
			return -ERANGE;
		*ns = (uint64_t)llround(v);
		return 0;
	}
	return -EINVAL;
}

static int list_add(uint64_t *v, unsigned int max, unsigned int *n, uint64_t value)
{
	if (*n == max)
		return -E2BIG;
	v[(*n)++] = value;
	return 0;
}

static int range_add(char *item, uint64_t *v, unsigned int max, unsigned int *n)
{
	char *colon = strchr(item, ':');
	uint64_t lo, hi;
	int rc;

	if (colon)
		*colon = '\0';
	rc = tool_size_parse(item, &lo);
	if (rc || !colon)
		return rc ? rc : list_add(v, max, n, lo);
	rc = tool_size_parse(colon + 1, &hi);
	if (rc)
		return rc;
	if (!lo || lo > hi)
		return -ERANGE;
	for (uint64_t x = lo; ; x *= 2) {
		rc = list_add(v, max, n, x);
		if (rc)
			return rc;
		if (x > hi / 2) {
			if (x != hi)
				rc = list_add(v, max, n, hi);
			return rc;
		}
	}
}

int tool_size_list_parse(const char *s, uint64_t *v, unsigned int max)
{
	char *copy = strdup(s), *rest = copy, *item;
	unsigned int n = 0;
	int rc = 0;

	if (!copy)
		return -ENOMEM;
	while (!rc && (item = strsep(&rest, ",")))
		rc = range_add(item, v, max, &n);
	free(copy);
	return rc ? rc : (int)n;
}

const char *tool_size_format(uint64_t bytes, char *buf, size_t len)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned int u = 0;

	while (bytes && !(bytes & 1023) && u < 6) {
		bytes >>= 10;
		u++;
	}
	snprintf(buf, len, "%llu %s", (unsigned long long)bytes, units[u]);
	return buf;
}

const char *tool_count_format(double v, char *buf, size_t len)
{
	static const char units[] = " kMGTPE";
	unsigned int u = 0;
	int decimals;

	if (!isfinite(v)) {
		snprintf(buf, len, "-");
		return buf;
	}
	/* 999.95 would print as 1000.0 */
	while (fabs(v) >= 999.5 && u < 6) {
		v /= 1000;
		u++;
	}
	decimals = fabs(v) < 9.995 ? 2 : fabs(v) < 99.95 ? 1 : 0;
	if (!u)
		snprintf(buf, len, "%.*f", v == floor(v) ? 0 : decimals, v);
	else
		snprintf(buf, len, "%.*f%c", decimals, v, units[u]);
	return buf;
}
