/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading XML: values, ranges, positions, and everything hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>
#include <vm/xml.h>

#include "child.h"

static struct vm_err err;

static struct vm_xml *parse_bytes(const char *text, size_t len)
{
	struct vm_xml *x = NULL;

	err = VM_ERR_INIT;
	return vm_xml_parse(text, len, "f.xml", &x, &err) < 0 ? NULL : x;
}

static struct vm_xml *parse(const char *text)
{
	struct vm_xml *x = parse_bytes(text, strlen(text));

	if (x == NULL)
		fail_msg("%s", err.msg);
	return x;
}

static void assert_range(const struct vm_xml *x, struct vm_range r, const char *expected)
{
	const char *text = vm_xml_text(x, NULL);

	if (r.len != strlen(expected) || memcmp(text + r.at, expected, r.len) != 0)
		fail_msg("[%.*s] is not [%s]", (int)r.len, text + r.at, expected);
}

static void ranges(void **state)
{
	static const char text[] = "<?xml version='1.0'?>\n"
				   "<!-- <a> --><a\n  one = \"1>2\"\ttwo='&lt;\"'\n>"
				   "t1<b/>&amp;<!-- </a> --><c ></c ><![CDATA[<d>]]><?pi <e> ?>"
				   "</a  >\n<!-- after -->\n";
	struct vm_xml *x = parse(text);
	vm_node b = vm_xml_first(x, 0), c = vm_xml_next(x, b);

	(void)state;
	assert_int_equal(vm_xml_node_count(x), 3);
	assert_int_equal(vm_xml_attr_total(x), 2);
	assert_string_equal(vm_xml_name(x, 0), "a");
	assert_int_equal(vm_xml_parent(x, 0), VM_NODE_NONE);
	assert_int_equal(vm_xml_parent(x, c), 0);
	assert_int_equal(vm_xml_next(x, c), VM_NODE_NONE);
	assert_int_equal(vm_xml_first(x, c), VM_NODE_NONE);
	assert_int_equal(vm_xml_child(x, 0, "c"), c);
	assert_int_equal(vm_xml_child(x, 0, "d"), VM_NODE_NONE);
	assert_int_equal(vm_xml_attr_count(x, 0), 2);
	assert_string_equal(vm_xml_attr_name(x, 0, 1), "two");
	assert_string_equal(vm_xml_attr_value(x, 0, 1), "<\"");
	assert_string_equal(vm_xml_attr(x, 0, "one"), "1>2");
	assert_null(vm_xml_attr(x, 0, "three"));
	assert_string_equal(vm_xml_content(x, 0), "t1&<d>");
	assert_string_equal(vm_xml_content(x, b), "");
	assert_range(x, vm_xml_attr_range(x, 0, 0), "1>2");
	assert_range(x, vm_xml_attr_range(x, 0, 1), "&lt;\"");
	assert_range(x, vm_xml_element_range(x, b), "<b/>");
	assert_range(x, vm_xml_content_range(x, b), "");
	assert_range(x, vm_xml_element_range(x, c), "<c ></c >");
	assert_range(x, vm_xml_content_range(x, c), "");
	assert_range(x, vm_xml_content_range(x, 0),
		     "t1<b/>&amp;<!-- </a> --><c ></c ><![CDATA[<d>]]><?pi <e> ?>");
	assert_string_equal(vm_xml_text(x, NULL), text);
	vm_xml_free(x);
}

static void positions(void **state)
{
	struct vm_xml *x =
	    parse("\xef\xbb\xbf<a>\r\n\t\xc3\xa9\xe2\x82\xac<b x='1'\r\n  y='2'/></a>");
	unsigned line, column;

	(void)state;
	vm_xml_position(x, 0, -1, &line, &column);
	assert_int_equal(line, 1);
	assert_int_equal(column, 1);
	vm_xml_position(x, 1, -1, &line, &column);
	assert_int_equal(line, 2);
	assert_int_equal(column, 4);
	vm_xml_position(x, 1, 0, &line, &column);
	assert_int_equal(column, 7);
	vm_xml_position(x, 1, 1, &line, &column);
	assert_int_equal(line, 3);
	assert_int_equal(column, 3);
	assert_int_equal(vm_xml_error(x, 1, 1, VM_UNSUPPORTED, &err, "no %s", "y"), -1);
	assert_int_equal(err.kind, VM_UNSUPPORTED);
	assert_string_equal(err.msg, "f.xml:3:3: no y");
	vm_xml_free(x);
}

static void namespaces(void **state)
{
	struct vm_xml *x =
	    parse("<a xmlns:p='urn:1&amp;' xmlns:q='urn:q'><p:b p:c='1' c='2' xmlns:r='urn:r'/>"
		  "<d xmlns='urn:d'><e/></d><p:f xmlns:p='urn:2'><g q:h=''/></p:f></a>");
	vm_node b = vm_xml_first(x, 0), d = vm_xml_next(x, b), f = vm_xml_next(x, d);
	char *text;

	(void)state;
	assert_string_equal(vm_xml_name(x, b), "b");
	assert_string_equal(vm_xml_ns(x, b), "urn:1&");
	assert_int_equal(vm_xml_attr_count(x, b), 2);
	assert_string_equal(vm_xml_attr(x, b, "c"), "2");
	assert_string_equal(vm_xml_attr_ns(x, b, 0), "urn:1&");
	assert_string_equal(vm_xml_ns(x, vm_xml_first(x, d)), "urn:d");
	assert_int_equal(vm_xml_child(x, 0, "d"), VM_NODE_NONE);
	text = vm_xml_element_text(x, b);
	assert_string_equal(text, "<p:b xmlns:p='urn:1&amp;' p:c='1' c='2' xmlns:r='urn:r'/>");
	free(text);
	text = vm_xml_element_text(x, vm_xml_first(x, d));
	assert_string_equal(text, "<e xmlns='urn:d'/>");
	free(text);
	text = vm_xml_element_text(x, f);
	assert_string_equal(text, "<p:f xmlns:q='urn:q' xmlns:p='urn:2'><g q:h=''/></p:f>");
	free(text);
	vm_xml_free(x);
}

static void refusals(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
	    {"", "f.xml:1:1: no element: this is not an XML document"},
	    {" \n<!-- -->", "f.xml:1:1: no element: this is not an XML document"},
	    {"hello", "f.xml:1:1: text outside the root element"},
	    {"<a/>\n x", "f.xml:2:2: text outside the root element"},
	    {"<a/><b/>", "f.xml:1:5: a second element outside the root element"},
	    {"<a>\n <b></a>", "f.xml:2:5: </a> instead of </b> (opened on line 2)"},
	    {"<a>\n <b>", "f.xml:2:2: <b> is not closed"},
	    {"</a>", "f.xml:1:1: </a> closes nothing"},
	    {"<a b='1' b='2'/>", "f.xml:1:10: attribute 'b' is given twice"},
	    {"<a b='1'c='2'/>", "f.xml:1:9: white space is expected here"},
	    {"<a b=1/>", "f.xml:1:6: an attribute's value must be in quotes"},
	    {"<a b/>", "f.xml:1:4: attribute 'b' has no value"},
	    {"<a b='<'/>", "f.xml:1:7: '<' in an attribute's value"},
	    {"<a b='1/>", "f.xml:1:6: the attribute's value is not closed"},
	    {"<a b='1'", "f.xml:1:1: the tag is not closed"},
	    {"<a><!-- </a>", "f.xml:1:4: the comment is not closed"},
	    {"<a><![CDATA[ </a>", "f.xml:1:4: the CDATA section is not closed"},
	    {"<a>&nbsp;</a>", "f.xml:1:4: entity '&nbsp;' is not defined"},
	    {"<a b='&x;'/>", "f.xml:1:7: entity '&x;' is not defined"},
	    {"<a b='\xc3\xa9&amp;&#9;'\n c='&y'/>",
	     "f.xml:2:5: '&y' does not end with ';' (write &amp; for the character '&')"},
	    {"<a b='&lt;' c='\xc3\xa9&y;'/>", "f.xml:1:17: entity '&y;' is not defined"},
	    {"<a>x & y</a>",
	     "f.xml:1:6: '&' without an entity name (write &amp; for the character)"},
	    {"<a>&#0;</a>", "f.xml:1:4: '&#0;' is no character that XML allows"},
	    {"<a b='&#x41;&#xfffe;'/>", "f.xml:1:13: '&#xfffe;' is no character that XML allows"},
	    {"<a>]]></a>", "f.xml:1:4: ']]>' in text (write ]]&gt;)"},
	    {"<a><!-- x -- y --></a>", "f.xml:1:11: '--' inside a comment"},
	    {"<a><1/></a>", "f.xml:1:5: malformed XML: '1' is not allowed here"},
	    {"<a><?xml version='1.0'?></a>",
	     "f.xml:1:4: '<?xml' is allowed only where the document begins"},
	    {"<?xml vers='1.0'?><a/>", "f.xml:1:7: malformed XML declaration"},
	    {"<a xmlns:p=''/>", "f.xml:1:1: a namespace prefix is declared as nothing"},
	    {"<a xmlns:xml='u'/>", "f.xml:1:1: the prefix 'xml' cannot be declared as another"},
	    {"<a xmlns:p='u' xmlns:q='u' p:x='1' q:x='2'/>",
	     "f.xml:1:1: two attributes with the same name in the same namespace"},
	    {"<a>\n<p:b xmlns:q='u' q:c=''/></a>",
	     "f.xml:2:2: namespace prefix 'p' is not declared"},
	    {"<a x:b='1'/>", "f.xml:1:4: namespace prefix 'x' is not declared"},
	    {"<a>\n\x01</a>", "f.xml:2:1: control character 0x01 is not allowed"},
	    {"<a>\xc3\xa9\xff</a>", "f.xml:1:5: invalid UTF-8 (byte 0xff)"},
	    {"<a>\xc0\xaf</a>", "f.xml:1:4: invalid UTF-8 (byte 0xc0)"},
	    {"<a>\xed\xa0\x80</a>", "f.xml:1:4: invalid UTF-8 (byte 0xed)"},
	    {"<a>\xe2\x82", "f.xml:1:4: invalid UTF-8 (byte 0xe2)"},
	    {"<?xml version='1.0' encoding='EBCDIC-US'?><a/>",
	     "f.xml:1:31: encoding 'EBCDIC-US' is not supported"},
	    {"<!DOCTYPE a><a/>",
	     "f.xml:1:1: a document type (DTD) or entity declaration is not allowed here"},
	    {"<a>\n<!ENTITY x 'y'></a>",
	     "f.xml:2:1: a document type (DTD) or entity declaration is not allowed here"},
	};

	(void)state;
	for (size_t i = 0; i < VM_COUNT(cases); i++) {
		struct vm_xml *x = parse_bytes(cases[i].text, strlen(cases[i].text));

		if (x != NULL)
			fail_msg("accepted: %s", cases[i].text);
		assert_string_equal(err.msg, cases[i].message);
		assert_int_equal(err.kind, VM_BAD_INPUT);
	}
	assert_null(parse_bytes("<a>\0</a>", 8));
	assert_string_equal(err.msg, "f.xml:1:4: control character 0x00 is not allowed");
}

static void encodings(void **state)
{
	static const char latin[] = "<?xml version='1.0' encoding=\"ISO-8859-1\" ?>\n<a b='\xe9'/>";
	static const char wide[] = "\xff\xfe<\0a\0>\0\xac\x20<\0/\0a\0>\0";
	struct vm_xml *x = parse_bytes(latin, sizeof(latin) - 1);

	(void)state;
	if (x == NULL)
		fail_msg("%s", err.msg);
	assert_string_equal(vm_xml_converted(x), "ISO-8859-1");
	assert_string_equal(vm_xml_text(x, NULL),
			    "<?xml version='1.0' encoding=\"UTF-8\" ?>\n<a b='\xc3\xa9'/>");
	assert_string_equal(vm_xml_attr(x, 0, "b"), "\xc3\xa9");
	vm_xml_free(x);
	x = parse_bytes(wide, sizeof(wide) - 1);
	if (x == NULL)
		fail_msg("%s", err.msg);
	assert_string_equal(vm_xml_converted(x), "UTF-16LE");
	assert_string_equal(vm_xml_content(x, 0), "\xe2\x82\xac");
	vm_xml_free(x);
	assert_null(parse_bytes(wide, sizeof(wide) - 2));
	assert_int_equal(err.kind, VM_BAD_INPUT);
	assert_string_equal(err.msg, "f.xml: byte 15 is not UTF-16LE");
	x = parse("<?xml version='1.0' encoding='utf-8'?><a/>");
	assert_null(vm_xml_converted(x));
	vm_xml_free(x);
}

static void repeat(struct vm_strbuf *b, const char *text, unsigned n)
{
	while (n-- > 0)
		vm_strbuf_puts(b, text);
}

static struct vm_strbuf hostile[8];
static const char *const hostile_messages[] = {
    "f.xml:1:193: elements are nested more than 64 deep",
    NULL, /* position depends on the numbers */
    "f.xml:1:800000: more than 200000 elements",
    "f.xml: larger than 16 MiB",
    "f.xml:1:1: a document type (DTD) or entity declaration is not allowed here",
    "f.xml:1:1: a document type (DTD) or entity declaration is not allowed here",
    NULL, /* more than 500000 attributes in all */
    "f.xml:1:4: the comment is not closed",
};

static void make_hostile(void)
{
	repeat(&hostile[0], "<a>", 1000000);
	vm_strbuf_puts(&hostile[1], "<a");
	for (unsigned i = 0; i < 1000000; i++)
		vm_strbuf_printf(&hostile[1], " a%u=''", i);
	vm_strbuf_puts(&hostile[1], "/>");
	vm_strbuf_puts(&hostile[2], "<r>");
	repeat(&hostile[2], "<b/>", 4000000 / 4);
	repeat(&hostile[3], "<aaaaaaaaaaaaaaa", 1 << 20);
	vm_strbuf_puts(&hostile[3], ".");
	vm_strbuf_puts(&hostile[4], "<!DOCTYPE a [<!ENTITY a0 'x'>");
	for (unsigned i = 1; i < 30; i++)
		vm_strbuf_printf(&hostile[4], "<!ENTITY a%u '&a%u;&a%u;'>", i, i - 1, i - 1);
	vm_strbuf_puts(&hostile[4], "]><a>&a29;</a>");
	vm_strbuf_puts(&hostile[5],
		       "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>");
	vm_strbuf_puts(&hostile[6], "<r>");
	for (unsigned i = 0; i < 100000; i++)
		vm_strbuf_puts(&hostile[6], "<b a='' b='' c='' d='' e='' f='' g='' h=''/>");
	vm_strbuf_puts(&hostile[6], "</r>");
	vm_strbuf_puts(&hostile[7], "<a><!--");
	repeat(&hostile[7], "<!--", 1000000);
}

static int refuse_all(void)
{
	for (size_t i = 0; i < VM_COUNT(hostile); i++) {
		struct timespec from, to;

		clock_gettime(CLOCK_MONOTONIC, &from);
		if (parse_bytes(hostile[i].text, hostile[i].len) != NULL)
			return 10 + (int)i;
		clock_gettime(CLOCK_MONOTONIC, &to);
		if (hostile_messages[i] != NULL && strcmp(err.msg, hostile_messages[i]) != 0) {
			fprintf(stderr, "%zu: %s\n", i, err.msg);
			return 30 + (int)i;
		}
		if (err.kind != VM_BAD_INPUT)
			return 50 + (int)i;
		if (to.tv_sec - from.tv_sec > 5)
			return 70 + (int)i;
	}
	return 0;
}

static void hostile_documents(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	make_hostile();
	pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
#if !defined(__SANITIZE_ADDRESS__)
		/* The documents themselves are here; parsing may take 128 MiB more. */
		struct rlimit memory = {320u << 20, 320u << 20};

		setrlimit(RLIMIT_AS, &memory);
#endif
		_exit(refuse_all());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	for (size_t i = 0; i < VM_COUNT(hostile); i++)
		vm_strbuf_free(&hostile[i]);
}

static void quiet(void **state)
{
	int pipes[2], saved = dup(STDERR_FILENO);
	char c;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	dup2(pipes[1], STDERR_FILENO);
	close(pipes[1]);
	assert_null(parse_bytes("<a>&x;</a>", 10));
	assert_null(parse_bytes("<a b='1' b='1'/>", 16));
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(read(pipes[0], &c, 1), 0);
	close(pipes[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ranges),	  cmocka_unit_test(positions),
	    cmocka_unit_test(namespaces), cmocka_unit_test(refusals),
	    cmocka_unit_test(encodings),  cmocka_unit_test(hostile_documents),
	    cmocka_unit_test(quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
