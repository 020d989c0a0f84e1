/* SPDX-License-Identifier: BSD-2-Clause */
/* The flame graph in a browser. A script at the end of the file uses it, flame_graph_check.js,
 * and the browser prints what became of the document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles.h"
#include "viewer.h"

#include <cmocka.h>

#define END "</svg>"
#define FIND_BROWSER "command -v chromium || command -v google-chrome"
#define BROWSER                                                            \
	"HOME=$PWD $(" FIND_BROWSER                                        \
	") --headless --no-sandbox --disable-gpu --disable-dev-shm-usage " \
	"--user-data-dir=profile --window-size=1200,600 "

static struct probekit_profile *make_profile(void)
{
	struct probekit_profile *profile = profile_of_service();
	struct probekit_profile_entry *entry =
		profile_add(profile, PROBEKIT_CLASS_OTHER, "_start;main;x", NULL, 90000000);

	profile_set_frame(
		entry, 0,
		"</title><script>document.documentElement.dataset.pwned=1</script>]]>\"'&amp;",
		"/x");
	return profile;
}

/* The caller frees it. */
static char *draw(size_t *size)
{
	struct probekit_profile *profile = make_profile();
	char *text;

	assert_int_equal(profile_to_svg(profile, &text, size), 0);
	profile_free(profile);
	assert_true(*size > sizeof(END) && strcmp(text + *size - sizeof(END), END "\n") == 0);
	return text;
}

static char *read_script(void)
{
	FILE *file = fopen("viewers/flame_graph_check.js", "r");
	char *text = NULL;
	size_t capacity = 0;

	assert_non_null(file);
	assert_true(getdelim(&text, &capacity, '\0', file) > 0);
	fclose(file);
	return text;
}

static void write_with_script(const char *folder)
{
	size_t size;
	char *drawn = draw(&size);
	char *script = read_script();
	char *text;
	int all = asprintf(&text, "%.*s<script><![CDATA[\n%s]]></script>" END "\n",
			   (int)(size - sizeof(END)), drawn, script);

	assert_true(all > 0);
	viewer_write(folder, "graph.svg", text, (size_t)all);
	free(text);
	free(script);
	free(drawn);
}

static void a_browser_searches_zooms_and_tells_details(void **state)
{
	const char *attribute = "data-result=\"";
	char *document;
	char *result;

	viewer_need(FIND_BROWSER, "chromium");
	write_with_script(*state);
	document = viewer_run(*state, BROWSER "--dump-dom \"file://$PWD/graph.svg\"");
	result = strstr(document, attribute);
	if (!result)
		fail_msg("the script did not come to its end: %.2000s", document);
	result += strlen(attribute);
	*strchrnul(result, '"') = '\0';
	print_message("%s\n", result);
	assert_memory_equal(result, "all ", 4);
	free(document);
}

static void a_browser_fetches_nothing_for_it(void **state)
{
	size_t size;
	char *text = draw(&size);

	(void)state;
	/* The name spaces' names are the only addresses. */
	for (char *at = text; (at = strstr(at, "://")); at++) {
		bool is_svg = strncmp(at, "://www.w3.org/2000/svg\"", 23) == 0;
		bool is_html = strncmp(at, "://www.w3.org/1999/xhtml\"", 25) == 0;

		assert_true(is_svg || is_html);
	}
	assert_null(strstr(text, "href"));
	assert_null(strstr(text, "url("));
	assert_null(strstr(text, "@import"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_browser_searches_zooms_and_tells_details,
						viewer_setup, viewer_teardown),
		cmocka_unit_test(a_browser_fetches_nothing_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
