// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Fabric files: what is read, what is refused with which line and words, and random changes of
 * good files, which have to be refused or be valid configurations.
 */
#include "model_test.h"

#include <stdio.h>

#include "model/conf.h"

#define PROFILE "[profile]\nname lab\nlanes 8\nrate_mtps 64000\nport_ps 1\ncable_ps 2\n" \
		"switch_ps 3\nhome_ps 4\ndram_ps 4294967295\n"
#define TOPOLOGY "[topology]\nname t\nchips 3\nswitches 2\nlink 1 s1\nlink s1 s2\n" \
		 "link s2 2\nlink 3 2\n"

static struct hsl_conf conf;
static char why[160];

static int parse(const char *text)
{
	memset(why, 0, sizeof(why));
	memset(&conf, 0xa5, sizeof(conf));
	return hsl_conf_parse(&conf, text, strlen(text), why, sizeof(why));
}

static void good(const char *text)
{
	if (parse(text))
		fail_msg("refused: %s", why);
	assert_string_equal(why, "");
}

static void refused(const char *text, uint32_t line, const char *words)
{
	char prefix[32] = "";

	assert_int_equal(parse(text), -EINVAL);
	if (line)
		snprintf(prefix, sizeof(prefix), "line %u: ", line);
	if (strncmp(why, prefix, strlen(prefix)) || !strstr(why, words))
		fail_msg("\"%s\", expected \"%s\" and \"%s\"", why, prefix, words);
	assert_null(strchr(why, '\n'));
}

static void test_good(void **state)
{
	struct hsl_model_config cfg;

	(void)state;
	good(PROFILE);
	assert_true(conf.has_profile);
	assert_false(conf.has_topology);
	assert_string_equal(conf.profile.name, "lab");
	assert_int_equal(conf.profile.lanes, 8);
	assert_int_equal(conf.profile.rate_mtps, 64000);
	assert_int_equal(conf.profile.port_ps, 1);
	assert_int_equal(conf.profile.cable_ps, 2);
	assert_int_equal(conf.profile.switch_ps, 3);
	assert_int_equal(conf.profile.home_ps, 4);
	assert_int_equal(conf.profile.dram_ps, UINT32_MAX);

	good(TOPOLOGY PROFILE);
	assert_true(conf.has_profile && conf.has_topology);
	assert_string_equal(conf.topology, "t");
	hsl_conf_topology(&conf, &cfg);
	assert_int_equal(cfg.nodes, 3);
	assert_int_equal(cfg.switches, 2);
	assert_int_equal(cfg.nlinks, 4);
	assert_int_equal(cfg.links[1].a, SWITCH);
	assert_int_equal(cfg.links[1].b, SWITCH + 1);
	assert_int_equal(cfg.links[2].b, 2);
	cfg.host_node = HOST;
	cfg.profile = conf.profile;
	assert_null(hsl_model_check(&cfg));
}

static void test_layout(void **state)
{
	(void)state;
	good("# c\r\n\r\n \t[topology] # here \r\n\tswitches 0\r\nchips\t 1  # one\r\nname x-_9");
	assert_int_equal(conf.chips, 1);
	assert_string_equal(conf.topology, "x-_9");
	good("[topology]\nname t\nchips 2\nswitches 0\nlink 1 2");
	good("[topology]\nname t # \xc3\xa4\nchips 002\nswitches 0\nlink 2 1 #x\n\n#\n");
	refused("[topology]\nname t\nchips 1#\nswitches 0\n", 3, "'1#' is not a number");
	refused("[topology]\rname t\n", 1, "control character (0x0d)");
	refused("[topology]\nname t\v\n", 2, "control character (0x0b)");
	refused("[topology]\nname t\x7f\n", 2, "control character (0x7f)");
	memset(why, 0, sizeof(why));
	assert_int_equal(hsl_conf_parse(&conf, "[topology]\nname t\0\n", 19, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "line 2: there is a control character (0x00)"));
	/* a short buffer is not overrun */
	memset(why, '#', sizeof(why));
	assert_int_equal(hsl_conf_parse(&conf, "x", 1, why, 9), -EINVAL);
	assert_string_equal(why, "line 1: ");
	assert_int_equal(why[9], '#');
	assert_int_equal(hsl_conf_parse(&conf, "x", 1, why, 0), -EINVAL);
}

static void test_lengths(void **state)
{
	static char text[HSL_CONF_BYTES_MAX + 2];
	size_t head = strlen("[topology]\n");

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "[topology]\n", head);
	text[head + 200] = '\n';
	text[head + 201] = 0;
	refused(text, 1, "name is missing");
	text[head + 200] = '\r';
	text[head + 201] = '\n';
	text[head + 202] = 0;
	refused(text, 1, "name is missing");
	text[head + 200] = ' ';
	refused(text, 2, "at most 200 bytes");
	memset(text, '\n', sizeof(text) - 1);
	memcpy(text + HSL_CONF_BYTES_MAX - strlen(TOPOLOGY), TOPOLOGY, strlen(TOPOLOGY));
	text[HSL_CONF_BYTES_MAX] = 0;
	good(text);
	text[HSL_CONF_BYTES_MAX] = '\n';
	text[HSL_CONF_BYTES_MAX + 1] = 0;
	refused(text, 0, "at most 262144 bytes");
}

static void test_words(void **state)
{
	(void)state;
	refused("", 0, "neither [profile] nor [topology]");
	refused("# nothing\n", 0, "neither [profile] nor [topology]");
	refused("chips 3\n", 1, "comes first");
	refused("[profil]\n", 1, "a section is [profile] or [topology]");
	refused("[profile] x\n", 1, "alone in its line");
	refused(PROFILE PROFILE, 10, "[profile] is there already, in line 1");
	refused(TOPOLOGY "[topology]\n", 9, "[topology] is there already, in line 1");
	refused("[profile]\nlanes 8\nlanes 8\n", 3, "lanes is there already");
	refused("[topology]\nchips 2\nchips 2\n", 3, "chips is there already");
	refused("[profile]\nlane 8\n", 2, "unknown key 'lane'");
	refused("[profile]\nchips 8\n", 2, "unknown key 'chips'");
	refused("[topology]\nLink 1 2\n", 2, "unknown key 'Link'");
	refused("[topology]\nchips\n", 2, "chips has 1 value");
	refused("[topology]\nchips 1 2\n", 2, "chips has 1 value");
	refused("[topology]\nchips 2\nlink 1\n", 3, "link has 2 values");
	refused("[topology]\nchips 2\nlink 1 2 3 4 5 6 7\n", 3, "link has 2 values");
	refused("[topology]\nlink 1 2\n", 2, "chips comes before the first link");
	refused("[topology]\nchips 3\nlink 1 2\nswitches 1\n", 4, "before the first link");
	refused("[topology]\nname T\n", 2, "a name is 1 to 15 of");
	refused("[topology]\nname 1234567890123456\n", 2, "a name is 1 to 15 of");
	refused("[topology]\nname \xff\n", 2, "a name is 1 to 15 of");
	refused("[profile]\nname default\n", 2, "default is built in");
	refused("[topology]\nname t\nchips 1\n", 1, "switches is missing");
	refused("\n[profile]\nname lab\n", 2, "lanes is missing");
}

static void test_numbers(void **state)
{
	(void)state;
	refused("[topology]\nchips 0\n", 2, "chips is 1 to 256");
	refused("[topology]\nchips 257\n", 2, "chips is 1 to 256");
	refused("[topology]\nchips 18446744073709551617\n", 2, "chips is 1 to 256");
	refused("[topology]\nchips -1\n", 2, "'-1' is not a number");
	refused("[topology]\nchips 0x10\n", 2, "'0x10' is not a number");
	refused("[topology]\nswitches 256\n", 2, "switches is 0 to 255");
	refused("[profile]\nrate_mtps 4294967296\n", 2, "rate_mtps is 0 to 4294967295");
	refused("[profile]\nrate_mtps 1e3\n", 2, "'1e3' is not a number");
	refused("[profile]\nname lab\nlanes 0\nrate_mtps 1\nport_ps 1\ncable_ps 2\nswitch_ps 3\n"
		"home_ps 4\ndram_ps 5\n", 1, "1 to 64 lanes");
	refused("[profile]\nname lab\nlanes 1\nrate_mtps 0\nport_ps 1\ncable_ps 2\nswitch_ps 3\n"
		"home_ps 4\ndram_ps 5\n", 1, "lane rate");
	refused("[profile]\nname lab\nlanes 1\nrate_mtps 1\nport_ps 4294967295\ncable_ps 2\n"
		"switch_ps 3\nhome_ps 4\ndram_ps 5\n", 1, "latency");
}

static void test_links(void **state)
{
	char text[4096];
	size_t n;

	(void)state;
#define HEAD "[topology]\nname t\nchips 3\nswitches 1\n"
	refused(HEAD "link 1 4\n", 5, "there is no node '4', with 3 chips and 1 switches");
	refused(HEAD "link 0 1\n", 5, "no node '0'");
	refused(HEAD "link s2 1\n", 5, "no node 's2'");
	refused(HEAD "link s0 1\n", 5, "no node 's0'");
	refused(HEAD "link s 1\n", 5, "no node 's'");
	refused(HEAD "link 1x 1\n", 5, "no node '1x'");
	refused(HEAD "link 1 28672\n", 5, "no node '28672'");
	refused(HEAD "link 1 99999999999999999999999999\n", 5, "no node '9999");
	refused(HEAD "link 1 1\n", 5, "two different nodes");
	refused(HEAD "link s1 s1\n", 5, "two different nodes");
	refused(HEAD "link 1 2\n\nlink 2 1\n", 7, "linked already, in line 5");
	refused(HEAD "link 1 2\nlink 3 s1\n", 1, "has a way to every other one");
	refused(HEAD "link 1 2\nlink 2 3\n", 1, "has a way to every other one");
	refused(HEAD, 1, "has a way to every other one");
	n = (size_t)snprintf(text, sizeof(text), "[topology]\nname t\nchips 18\nswitches 0\n");
	for (int i = 2; i <= 17; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "link 1 %d\n", i);
	snprintf(text + n, sizeof(text) - n, "link 17 18\n");
	good(text);
	snprintf(text + n, sizeof(text) - n, "link 18 1\n");
	refused(text, 21, "chip 1 has 16 links already");
	refused("[topology]\nname t\nchips 200\nswitches 200\n", 1, "256 chips and switches");
}

/* 4096 links, and one more. Switches have as many as they like. */
static void test_many_links(void **state)
{
	static char text[HSL_CONF_BYTES_MAX];
	uint32_t links = 0;
	size_t n;

	(void)state;
	n = (size_t)snprintf(text, sizeof(text), "[topology]\nname t\nchips 1\nswitches 100\nlink 1 s1\n");
	for (int a = 1; a <= 100 && links < HSL_MODEL_FILE_LINKS_MAX; a++)
		for (int b = 1; b < a && links < HSL_MODEL_FILE_LINKS_MAX; b++, links++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "link s%d s%d\n", a, b);
	refused(text, 4 + HSL_MODEL_FILE_LINKS_MAX + 1, "at most 4096 links");
}

/* The examples are good, and do not agree with the built-in profiles by accident. */
static void test_examples(void **state)
{
	static const struct { const char *name; uint32_t chips, switches, links; bool profile; } ex[] = {
		{ "docs/fabrics/two-switches.conf", 8, 2, 10, false },
		{ "docs/fabrics/chord.conf", 6, 0, 7, true },
	};
	char text[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(ex) / sizeof(ex[0]); i++) {
		FILE *f = fopen(ex[i].name, "r");
		size_t n;

		if (!f)
			fail_msg("%s: run this in the project's directory", ex[i].name);
		n = fread(text, 1, sizeof(text) - 1, f);
		text[n] = 0;
		fclose(f);
		good(text);
		assert_true(conf.has_topology);
		assert_int_equal(conf.has_profile, ex[i].profile);
		assert_int_equal(conf.chips, ex[i].chips);
		assert_int_equal(conf.switches, ex[i].switches);
		assert_int_equal(conf.nlinks, ex[i].links);
	}
}

/* ---- random changes ---- */

static uint64_t fuzz_state;

static uint32_t fuzz_below(uint32_t n)
{
	uint64_t z = fuzz_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ (z >> 31)) % n);
}

static size_t mutate(char *text, size_t n, size_t room)
{
	static const char alphabet[] = "0123456789slink[]# \t\r\n\0-\xff";
	size_t at = n ? fuzz_below((uint32_t)n) : 0, len;

	switch (fuzz_below(5)) {
	case 0:		/* another byte */
		if (n)
			text[at] = alphabet[fuzz_below(sizeof(alphabet) - 1)];
		return n;
	case 1:		/* one more */
		if (n == room)
			return n;
		memmove(text + at + 1, text + at, n - at);
		text[at] = alphabet[fuzz_below(sizeof(alphabet) - 1)];
		return n + 1;
	case 2:		/* some fewer */
		len = 1 + fuzz_below(20);
		len = len > n - at ? n - at : len;
		memmove(text + at, text + at + len, n - at - len);
		return n - len;
	case 3:		/* a piece twice */
		len = 1 + fuzz_below(20);
		len = len > n - at ? n - at : len;
		if (n + len > room)
			return n;
		memmove(text + at + len, text + at, n - at);
		return n + len;
	default:	/* cut */
		return fuzz_below(8) ? n : at;
	}
}

static void test_random_changes(void **state)
{
	uint32_t taken = 0, turned_down = 0;

	(void)state;
	fuzz_state = 20261127;
	for (int i = 0; i < 150000; i++) {
		size_t n = strlen(TOPOLOGY PROFILE), room = 2 * n;
		char *text = malloc(room);	/* its own, so that reading past its end is seen */
		struct hsl_model_config cfg;

		assert_non_null(text);
		memcpy(text, TOPOLOGY PROFILE, n);
		for (uint32_t k = 1 + fuzz_below(3); k; k--)
			n = mutate(text, n, room);
		text = realloc(text, n ? n : 1);
		assert_non_null(text);
		memset(why, 0, sizeof(why));
		if (hsl_conf_parse(&conf, text, n, why, sizeof(why))) {
			assert_true(strlen(why) > 10 && strlen(why) < sizeof(why));
			turned_down++;
		} else {
			assert_true(conf.has_profile || conf.has_topology);
			if (conf.has_topology) {
				hsl_conf_topology(&conf, &cfg);
				cfg.host_node = HOST;
				cfg.profile = conf.has_profile ? conf.profile :
								 *hsl_profile_find("default");
				assert_null(hsl_model_check(&cfg));
			}
			taken++;
		}
		free(text);
	}
	print_message("# %u taken, %u refused\n", taken, turned_down);
	assert_true(taken > 1000 && turned_down > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_many_links),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_random_changes),
	};

	return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
