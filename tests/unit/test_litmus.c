// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The litmus tests' own tests: what the axioms allow against the textbook's answers, the axioms
 * against the machine, and the table of docs/hep.md section 6.3 against the axioms.
 */
#include <stdio.h>

#include "model_test.h"
#include "oracle/litmus.h"

static struct litmus find(const char *name, enum litmus_form form)
{
	struct litmus t;

	for (uint32_t i = 0; litmus_get(i, form, &t); i++) {
		if (!strcmp(t.name, name))
			return t;
	}
	fail_msg("no test %s", name);
	return t;
}

static void expect(const char *name, bool plain, bool waits, bool one_line)
{
	const bool allowed[LITMUS_FORMS] = { plain, waits, one_line };

	for (enum litmus_form form = 0; form < LITMUS_FORMS; form++) {
		struct litmus t = find(name, form);

		if (strcmp(litmus_verdict(&t), allowed[form] ? "allowed" : "forbidden"))
			fail_msg("%s, form %u, is %s", name, form, litmus_verdict(&t));
	}
}

static void test_textbook(void **state)
{
	(void)state;
	expect("MP", true, false, false);
	expect("MP, writer waits", true, false, false);
	expect("MP, reader waits", true, false, false);
	expect("SB", true, false, false);
	expect("LB", true, false, false);
	expect("2+2W", true, false, false);
	expect("WRC", true, false, false);
	expect("IRIW", true, false, false);
	expect("CoRR", false, false, false);
	expect("CoRR2", false, false, false);
	expect("CoWW", false, false, false);
	expect("CoWR", false, false, false);
	expect("CoRW", false, false, false);
	expect("CoRW1", false, false, false);
	expect("ADD, ADD", false, false, false);
}

static void compare(const struct litmus *t)
{
	struct litmus_set axioms = { 0 }, machine = { 0 };
	char buf[100];

	litmus_allowed(t, &axioms);
	litmus_reachable(t, &machine);
	assert_true(machine.n > 0);
	for (size_t i = 0; i < axioms.n; i++) {
		if (!litmus_has(&machine, axioms.of[i]))
			print_message("# %s, form %u: only the axioms allow %s\n", t->name, t->form,
				      litmus_text(t, axioms.of[i], buf, sizeof(buf)));
	}
	for (size_t i = 0; i < machine.n; i++) {
		if (!litmus_has(&axioms, machine.of[i]))
			fail_msg("%s, form %u: the machine reaches %s, which the axioms forbid",
				 t->name, t->form, litmus_text(t, machine.of[i], buf, sizeof(buf)));
	}
	assert_int_equal(axioms.n, machine.n);
	litmus_free(&axioms);
	litmus_free(&machine);
}

static void test_machine(void **state)
{
	struct litmus t;

	(void)state;
	for (enum litmus_form form = 0; form < LITMUS_FORMS; form++) {
		for (uint32_t i = 0; litmus_get(i, form, &t); i++)
			compare(&t);
	}
}

/* Every row that the document has, and no other, in this order. */
static void test_document(void **state)
{
	FILE *f = fopen("docs/hep.md", "r");
	char line[1000], row[1000];
	struct litmus t;
	uint32_t i = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) && strncmp(line, "| litmus test |", 15))
		;
	assert_non_null(fgets(line, sizeof(line), f));
	for (; litmus_get(i, LITMUS_PLAIN, &t); i++) {
		char program[100] = "";
		struct litmus waits = find(t.name, LITMUS_WAITS),
			      one = find(t.name, LITMUS_ONE_LINE);

		for (const char *p = t.text; *p; p++)
			snprintf(program + strlen(program), sizeof(program) - strlen(program),
				 "%s%c", *p == '|' ? "\\" : "", *p);
		snprintf(row, sizeof(row), "| %s | %s | %s | %s | %s | %s |\n", t.name, program,
			 t.asked, litmus_verdict(&t), litmus_verdict(&waits), litmus_verdict(&one));
		if (!fgets(line, sizeof(line), f) || strcmp(line, row))
			fail_msg("docs/hep.md section 6.3 should have the row\n%s", row);
	}
	assert_true(!fgets(line, sizeof(line), f) || line[0] != '|');
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_textbook),
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
