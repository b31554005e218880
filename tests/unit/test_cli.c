/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command-line contract: the layout of --help, the grammar, the reports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/log.h>

#include "base/cli_impl.h"
#include "child.h"

static const char common_changes[] =
	"Common options:\n"
	"  -c, --connect=URI      hypervisor to use (default $VM_CONNECT, else for root\n"
	"                         qemu:///system, for others qemu:///session)\n"
	"      --timeout=SECONDS  longest wait for hypervisor, lock, kernel (default 10)\n"
	"      --dry-run          print every step and change nothing\n"
	"  -j, --json             print JSON (see vm-json(7))\n"
	"  -q, --quiet            print nothing but errors\n"
	"  -v, --verbose          name each step on standard error\n"
	"  -h, --help             print this help       -V, --version  print the version\n"
	"Exit status: vm-exit(7).  Manual: man vm-start\n";

static const char common_reads[] =
	"Common options:\n"
	"  -c, --connect=URI      hypervisor to use (default $VM_CONNECT, else for root\n"
	"                         qemu:///system, for others qemu:///session)\n"
	"      --timeout=SECONDS  longest wait for hypervisor, lock, kernel (default 10)\n"
	"  -j, --json             print JSON (see vm-json(7))\n"
	"  -q, --quiet            print nothing but errors\n"
	"  -v, --verbose          name each step on standard error\n"
	"  -h, --help             print this help       -V, --version  print the version\n"
	"Exit status: vm-exit(7).  Manual: man vm-list\n";

static const char list_help[] =
	"Usage: vm-list [OPTION...] [GUEST...]\n"
	"List guests: the active ones, or those named, or as filtered.\n"
	"\n"
	"      --all              active and inactive guests\n"
	"      --inactive         inactive guests only\n"
	"      --state=STATE,...  guests in one of these states (implies --all)\n"
	"      --state-running --state-paused --state-shutoff --state-other\n"
	"      --persistent --transient  --autostart --no-autostart\n"
	"      --with-managed-save --without-managed-save\n"
	"      --with-snapshot --without-snapshot --with-checkpoint --without-checkpoint\n"
	"                         alternatives of one kind add up, kinds narrow down\n"
	"      --name --uuid --id print these only, bare, one guest a line\n"
	"      --reason           add REASON before NAME\n"
	"      --title            add TITLE after NAME\n"
	"      --managed-save     show \"saved\" for a shut-off guest with a saved state\n"
	"      --table            header and padding also in a pipe\n"
	"      --check            ask every active guest, 1 s for all together\n";

struct list_options {
	struct vm_common common;
	bool all, inactive, name, uuid, id, check;
	struct vm_words states;
	uint64_t filter;
};
#define ROW(n, h) { .name = n, .kind = VM_OPT_FLAG, .off = offsetof(struct list_options, all), .help = h }
#define SET(n, bit, gap, h)                                                                        \
	{ .name = n, .kind = VM_OPT_SET, .off = offsetof(struct list_options, filter),             \
	  .value = 1u << (bit), .same_line = gap, .help = h }
static const struct vm_opt list_table[] = {
	ROW("all", "active and inactive guests"),
	ROW("inactive", "inactive guests only"),
	{ .name = "state", .kind = VM_OPT_LIST, .off = offsetof(struct list_options, states),
	  .arg = "STATE,...", .help = "guests in one of these states (implies --all)" },
	SET("state-running", 0, 0, ""),
	SET("state-paused", 1, 1, ""),
	SET("state-shutoff", 2, 1, ""),
	SET("state-other", 3, 1, ""),
	SET("persistent", 4, 0, ""),
	SET("transient", 5, 1, ""),
	SET("autostart", 6, 2, ""),
	SET("no-autostart", 7, 1, ""),
	SET("with-managed-save", 8, 0, ""),
	SET("without-managed-save", 9, 1, ""),
	SET("with-snapshot", 10, 0, ""),
	SET("without-snapshot", 11, 1, ""),
	SET("with-checkpoint", 12, 1, ""),
	SET("without-checkpoint", 13, 1, "\nalternatives of one kind add up, kinds narrow down"),
	SET("name", 14, 0, ""),
	SET("uuid", 15, 1, ""),
	SET("id", 16, 1, "print these only, bare, one guest a line"),
	ROW("reason", "add REASON before NAME"),
	ROW("title", "add TITLE after NAME"),
	ROW("managed-save", "show \"saved\" for a shut-off guest with a saved state"),
	ROW("table", "header and padding also in a pipe"),
	ROW("check", "ask every active guest, 1 s for all together"),
	ROW("secret", NULL),
	{ 0 },
};
static const struct vm_operand_spec guests_optional[] = {
	{ "GUEST", VM_OPERAND_GUEST, true, true, NULL },
	{ 0 },
};
static const struct vm_program list_program = {
	.name = "vm-list", .usage = "[OPTION...] [GUEST...]",
	.summary = "List guests: the active ones, or those named, or as filtered.",
	.options = list_table, .operands = guests_optional, .size = sizeof(struct list_options),
};

static const char start_help[] =
	"Usage: vm-start [OPTION...] GUEST...\n"
	"Start defined guests. Restores the managed save if there is one.\n"
	"\n"
	"      --paused           do not let the vCPUs run\n"
	"      --console          connect to the console (one GUEST)\n"
	"      --force-boot       discard the managed save and boot\n"
	"      --bypass-cache     read the saved state without the page cache\n"
	"      --reset-nvram      make the NVRAM anew from its template\n"
	"      --pass-fds=N,N,... pass these open descriptors to the guest's init (LXC)\n"
	"      --autodestroy      destroy the guest when this command ends (--foreground)\n"
	"      --foreground       stay as the guest's service; SIGTERM shuts it down\n"
	"      --stop-timeout=S   --foreground: seconds from SIGTERM's shutdown request\n"
	"                         to a destroy (default 120)\n"
	"      --no-watch         leave no watcher behind\n"
	"      --if-needed        a guest that runs already is success\n"
	"      --parallel=N       start N guests at a time (default 1)\n"
	"      --print            print the command line and start nothing\n";

static const char *const modes[] = { "fail", "destroy", "save", NULL };

struct start_options {
	struct vm_common common;
	bool paused, console, print, wait_given;
	uint64_t stop_ms, parallel, wait_ms, bytes;
	struct vm_words fds;
	const char *text;
	int mode;
};
#define START(n, m, h)                                                                             \
	{ .name = n, .kind = VM_OPT_FLAG, .off = offsetof(struct start_options, m), .help = h }
static const struct vm_opt start_table[] = {
	START("paused", paused, "do not let the vCPUs run"),
	START("console", console, "connect to the console (one GUEST)"),
	START("force-boot", paused, "discard the managed save and boot"),
	START("bypass-cache", paused, "read the saved state without the page cache"),
	START("reset-nvram", paused, "make the NVRAM anew from its template"),
	{ .name = "pass-fds", .kind = VM_OPT_LIST, .off = offsetof(struct start_options, fds),
	  .arg = "N,N,...", .help = "pass these open descriptors to the guest's init (LXC)" },
	START("autodestroy", paused, "destroy the guest when this command ends (--foreground)"),
	START("foreground", paused, "stay as the guest's service; SIGTERM shuts it down"),
	{ .name = "stop-timeout", .kind = VM_OPT_SECONDS, .arg = "S",
	  .off = offsetof(struct start_options, stop_ms),
	  .help = "--foreground: seconds from SIGTERM's shutdown request\nto a destroy (default 120)" },
	START("no-watch", paused, "leave no watcher behind"),
	START("if-needed", paused, "a guest that runs already is success"),
	{ .name = "parallel", .kind = VM_OPT_U64, .arg = "N",
	  .off = offsetof(struct start_options, parallel),
	  .help = "start N guests at a time (default 1)" },
	START("print", print, "print the command line and start nothing"),
	{ .name = "wait", .kind = VM_OPT_SECONDS, .optional = true, .value = 300000, .arg = "SECONDS",
	  .off = offsetof(struct start_options, wait_ms),
	  .given = offsetof(struct start_options, wait_given) },
	{ .name = "then", .letter = 't', .kind = VM_OPT_ENUM, .words = modes,
	  .off = offsetof(struct start_options, mode) },
	{ .name = "size", .kind = VM_OPT_SIZE, .off = offsetof(struct start_options, bytes) },
	{ .name = "text", .kind = VM_OPT_STR, .off = offsetof(struct start_options, text) },
	{ 0 },
};
static const struct vm_operand_spec guests[] = {
	{ "GUEST", VM_OPERAND_GUEST, false, true, NULL },
	{ 0 },
};
static const struct vm_program start_program = {
	.name = "vm-start", .usage = "[OPTION...] GUEST...",
	.summary = "Start defined guests. Restores the managed save if there is one.",
	.options = start_table, .operands = guests, .size = sizeof(struct start_options),
	.changes = true, .schema = "vm-start/1",
};

static void check_help(const struct vm_program *p, const char *own, const char *common)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf got = VM_STRBUF_INIT;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf want = VM_STRBUF_INIT;

	vm_cli_help(p, &got);
	vm_strbuf_puts(&want, own);
	vm_strbuf_puts(&want, common);
	assert_string_equal(got.text, want.text);
}

static void help_of_the_contract(void **state)
{
	(void)state;
	check_help(&list_program, list_help, common_reads);
	check_help(&start_program, start_help, common_changes);
}

static void help_of_crowded_lines(void **state)
{
	static const struct vm_opt table[] = {
		{ .name = "live", .help = "" },
		{ .name = "config", .same_line = 1, .help = "" },
		{ .name = "current", .same_line = 1, .help = "" },
		{ .name = "persistent", .same_line = 1,
		  .help = " what to change (default --current)" },
		{ .name = "alias", .kind = VM_OPT_STR, .arg = "ua-NAME", .help = "" },
		{ .name = "boot-order", .kind = VM_OPT_STR, .arg = "N", .same_line = 4, .help = "" },
		{ .name = "rom", .kind = VM_OPT_STR, .arg = "FILE|off", .same_line = 3,
		  .help = "  (one DEVICE)" },
		{ .name = "wait", .letter = 'w', .kind = VM_OPT_SECONDS, .arg = "S", .optional = true, .help = "x" },
		{ 0 },
	};
	static const struct vm_program p = { .name = "vm-list", .usage = "A\nB", .summary = "One.\nTwo.",
					     .options = table, .size = sizeof(struct vm_common) };

	(void)state;
	check_help(&p,
		   "Usage: vm-list A\n       vm-list B\nOne.\nTwo.\n\n"
		   "      --live --config --current --persistent  what to change (default --current)\n"
		   "      --alias=ua-NAME    --boot-order=N   --rom=FILE|off   (one DEVICE)\n"
		   "  -w, --wait[=S]         x\n",
		   common_reads);
}

/* ---- grammar ---- */

#define MAX_ARGS 16
static int parse(const struct vm_program *p, struct vm_cli_parsed *r, struct vm_err *err, ...)
{
	char *argv[MAX_ARGS + 1];
	int n = 1;
	va_list ap;

	argv[0] = (char *)(uintptr_t)p->name;
	va_start(ap, err);
	while (n < MAX_ARGS && (argv[n] = va_arg(ap, char *)))
		n++;
	va_end(ap);
	*r = VM_CLI_PARSED_INIT;
	*err = VM_ERR_INIT;
	return vm_cli_parse(p, n, argv, r, err);
}

static void values(void **state)
{
	struct vm_cli_parsed r;
	struct vm_err err;
	struct start_options *o;

	(void)state;
	assert_int_equal(parse(&start_program, &r, &err, "web1", "--paused", "--stop-timeout", "1.5",
			       "--pass-fds=3,4", "--wait", "web2", "--pass-fds", "5", "-tsave",
			       "--size=2", "--", "--print", NULL), 0);
	o = r.options;
	assert_true(o->paused);
	assert_false(o->print);
	assert_int_equal(o->stop_ms, 1500);
	assert_true(o->wait_given);
	assert_int_equal(o->wait_ms, 300000);
	assert_int_equal(o->mode, 2);
	assert_int_equal(o->bytes, 2048);
	assert_int_equal(o->fds.n, 3);
	assert_string_equal(o->fds.v[2], "5");
	assert_null(o->fds.v[3]);
	assert_int_equal(o->common.operands.n, 3);
	assert_string_equal(o->common.operands.v[0], "web1");
	assert_string_equal(o->common.operands.v[2], "--print");
	assert_int_equal(o->common.timeout_ms, 10000);
	assert_false(o->common.timeout_given);
	vm_cli_parsed_free(&r);

	assert_int_equal(parse(&start_program, &r, &err, "-jqv", "--wait=0.0005", "--timeout=2",
			       "-cqemu:///session", "--parallel=0x10", "a", "-", NULL), 0);
	o = r.options;
	assert_true(o->common.json && o->common.quiet && o->common.verbose);
	assert_int_equal(o->wait_ms, 1);
	assert_int_equal(o->common.timeout_ms, 2000);
	assert_true(o->common.timeout_given);
	assert_string_equal(o->common.connect, "qemu:///session");
	assert_int_equal(o->parallel, 16);
	assert_string_equal(o->common.operands.v[1], "-");
	vm_cli_parsed_free(&r);
}

static void sets(void **state)
{
	struct vm_cli_parsed r;
	struct vm_err err;

	(void)state;
	assert_int_equal(parse(&list_program, &r, &err, "--state-running", "--state-other", NULL), 0);
	assert_int_equal(((struct list_options *)r.options)->filter, 9);
	vm_cli_parsed_free(&r);
}

static void refuse(const struct vm_program *p, const char *want, const char *a, const char *b,
		   const char *c)
{
	struct vm_cli_parsed r;
	struct vm_err err;

	assert_int_equal(parse(p, &r, &err, a, b, c, NULL), -1);
	assert_int_equal(err.kind, VM_USAGE);
	assert_string_equal(err.msg, want);
	vm_cli_parsed_free(&r);
}

static void usage_errors(void **state)
{
	const struct vm_program *s = &start_program, *l = &list_program;

	(void)state;
	refuse(s, "GUEST is missing", NULL, NULL, NULL);
	refuse(s, "unknown option --pause", "--pause", NULL, NULL); /* no abbreviations */
	refuse(s, "unknown option -z", "-jz", NULL, NULL);
	refuse(s, "unknown option --", "--=x", NULL, NULL); 
	refuse(s, "--paused takes no value", "--paused=yes", "a", NULL);
	refuse(s, "--help takes no value", "--help=yes", "a", NULL);
	refuse(s, "--parallel needs a value: N", "a", "--parallel", NULL);
	refuse(s, "-c needs a value: URI", "a", "-c", NULL);
	refuse(s, "--timeout: '0': nothing waits for ever or not at all", "--timeout=0", "a", NULL);
	refuse(s, "--timeout: '0.0': nothing waits for ever or not at all", "--timeout=0.0", "a", NULL);
	refuse(s, "--timeout: '-1' is not a number of seconds", "--timeout=-1", "a", NULL);
	refuse(s, "--timeout: '1.' is not a number of seconds", "--timeout", "1.", "a");
	refuse(s, "--timeout: '1e3' is not a number of seconds", "--timeout", "1e3", "a");
	refuse(s, "--timeout: '' is not a number of seconds", "--timeout=", "a", NULL);
	refuse(s, "--parallel: ' 1' is not a number", "--parallel= 1", "a", NULL);
	refuse(s, "--parallel: '18446744073709551616' is not a number",
	       "--parallel=18446744073709551616", "a", NULL);
	refuse(s, "--then: 'explode' is none of fail, destroy, save", "--then=explode", "a", NULL);
	refuse(s, "--pass-fds: '1,,2' has an empty part", "--pass-fds=1,,2", "a", NULL);
	refuse(s, "--size: '1.5G': unknown unit '.5G'", "--size=1.5G", "a", NULL);
	refuse(s, "--size: '99999999999P' is too large", "--size=99999999999P", "a", NULL);
	refuse(l, "unknown option --dry-run", "--dry-run", NULL, NULL); /* it changes nothing */
}


/* ---- operands ---- */

static const struct vm_operand_spec guest_file[] = {
	{ "GUEST", VM_OPERAND_GUEST, false, false, NULL },
	{ "FILE", VM_OPERAND_FILE, true, false, NULL },
	{ 0 },
};
static const struct vm_operand_spec guest_keys[] = {
	{ "GUEST", VM_OPERAND_GUEST, false, false, NULL },
	{ "KEY", VM_OPERAND_OTHER, true, true, NULL },
	{ 0 },
};
static const struct vm_operand_spec guest_key[] = {
	{ "GUEST", VM_OPERAND_GUEST, false, false, NULL },
	{ "KEY", VM_OPERAND_OTHER, false, true, NULL },
	{ 0 },
};
static const struct vm_operand_spec guests_last[] = {
	{ "GUEST", VM_OPERAND_GUEST, false, true, NULL },
	{ "STATE", VM_OPERAND_OTHER, false, false, NULL },
	{ 0 },
};

static void operands(void **state)
{
	static const struct {
		const struct vm_operand_spec *spec;
		const char *args[6];
		const char *want; /* "!" + message = refused */
	} rows[] = {
		{ guest_file, { "g", "f" }, "g f" },
		{ guest_file, { "--domain", "g", "f" }, "g f" },
		{ guest_file, { "f", "--domain=g" }, "g f" },
		{ guest_file, { "--file=f", "g" }, "g f" },
		{ guest_file, { "--file", "f", "--domain", "g" }, "g f" },
		{ guest_file, { "g" }, "g" },
		{ guest_key, { "g" }, "!KEY is missing" },
		{ guest_key, { "--domain", "g" }, "!KEY is missing" },
		{ guest_key, { NULL }, "!GUEST is missing" },
		{ guest_file, { "--file", "f" }, "!GUEST is missing" },
		{ guest_file, { "g", "f", "x" }, "!unexpected operand 'x'" },
		{ guest_file, { "--domain=g", "f", "x" }, "!unexpected operand 'x'" },
		{ guest_file, { "--domain=g", "--domain=h" }, "!--domain is given twice: one GUEST only" },
		{ guest_file, { "--domain" }, "!--domain needs a value" },
		{ guest_keys, { "g", "a", "b=1" }, "g a b=1" },
		{ guest_keys, { "a", "--domain=g", "b" }, "g a b" },
		{ guest_keys, { "--file=x", "g" }, "!unknown option --file" },
		{ guests_last, { "a", "b", "off" }, "a b off" },
		{ guests_last, { "--domain", "a", "off" }, "a off" },
		{ guests_last, { "--domain", "a", "b", "off" }, "a b off" },
		{ guests_last, { "off" }, "!GUEST is missing" },
		{ guests_last, { "--domain", "a" }, "!STATE is missing" },
	};
	size_t i, k;

	(void)state;
	for (i = 0; i < VM_COUNT(rows); i++) {
		struct vm_program p = { .name = "vm-x", .usage = "", .summary = "",
					.operands = rows[i].spec, .size = sizeof(struct vm_common) };
		const char *const *a = rows[i].args;
		VM_AUTO(vm_strbuf_free) struct vm_strbuf got = VM_STRBUF_INIT;
		struct vm_cli_parsed r;
		struct vm_common *c;
		struct vm_err err;

		if (parse(&p, &r, &err, a[0], a[1], a[2], a[3], a[4], NULL) < 0) {
			vm_strbuf_printf(&got, "!%s", err.msg);
		} else {
			c = r.options;
			for (k = 0; k < c->operands.n; k++)
				vm_strbuf_printf(&got, "%s%s", k ? " " : "", c->operands.v[k]);
		}
		assert_string_equal(got.text, rows[i].want);
		vm_cli_parsed_free(&r);
	}
}

/* What goes over ssh: the same command without --connect, its file on stdin. */
static void again(void **state)
{
	static const char *const want[] = { "vm-x", "--json", "--timeout=5", "--", "g", "-", NULL };
	struct vm_program p = { .name = "vm-x", .usage = "", .summary = "", .operands = guest_file,
				.size = sizeof(struct vm_common) };
	struct vm_cli_parsed r;
	struct vm_err err;
	size_t i;

	(void)state;
	assert_int_equal(parse(&p, &r, &err, "-j", "-c", "qemu+ssh://h/system", "--file", "doc.xml",
			       "--timeout", "5", "g", NULL), 0);
	for (i = 0; want[i]; i++)
		assert_string_equal(r.again.v[i], want[i]);
	assert_null(r.again.v[i]);
	assert_string_equal(r.file, "doc.xml");
	vm_cli_parsed_free(&r);
}

static void describes(void **state)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	const char *line, *nl;

	(void)state;
	vm_cli_describe(&start_program, &b);
	assert_memory_equal(b.text, "program\tvm-start\tchanges\nsummary\t", 33);
	assert_non_null(strstr(b.text, "\noperand\tGUEST\tguest\tmany\trequired\tguest\n"));
	assert_non_null(strstr(b.text, "\noption\tpaused\t-\tnone\t-\t-\t-\tshown\tdo not let the vCPUs run\n"));
	assert_non_null(strstr(b.text, "\noption\twait\t-\toptional\tSECONDS\t-\t-\thidden\t-\n"));
	assert_non_null(strstr(b.text, "\noption\tthen\tt\trequired\t-\twords\tfail,destroy,save\thidden\t-\n"));
	assert_non_null(strstr(b.text, "\noption\tconnect\tc\trequired\tURI\turi\t-\tshown\thypervisor to use "));
	assert_non_null(strstr(b.text, "\noption\tdry-run\t"));
	assert_non_null(strstr(b.text, "\noption\thelp\th\tnone\t"));
	for (line = b.text; (nl = strchr(line, '\n')); line = nl + 1) {
		int tabs = 0;

		for (; line < nl; line++)
			tabs += *line == '\t';
		assert_true(tabs == 2 || tabs == 1 || tabs == 5 || tabs == 8);
	}
	vm_strbuf_clear(&b);
	vm_cli_describe(&list_program, &b);
	assert_null(strstr(b.text, "\noption\tdry-run\t"));
}

static void reports(void **state)
{
	static const struct {
		const char *object, *msg, *hint;
		enum vm_kind kind;
		const char *plain, *json;
	} rows[] = {
		{ "web1", "in use by vm-start (pid 1)", "wait", VM_IN_USE,
		  "vm-start: web1: in use by vm-start (pid 1); wait\n",
		  "{\"error\":{\"kind\":\"in-use\",\"status\":10,\"object\":\"web1\",\"message\":"
		  "\"in use by vm-start (pid 1)\",\"hint\":\"wait\"}}\n" },
		{ "", "open x: no", "", VM_SYSTEM, "vm-start: open x: no\n",
		  "{\"error\":{\"kind\":\"system\",\"status\":14,\"object\":null,\"message\":\"open x: no\","
		  "\"hint\":null}}\n" },
		{ "web1", "web1: disk: bad", "", VM_BAD_INPUT, "vm-start: web1: disk: bad\n",
		  "{\"error\":{\"kind\":\"bad-input\",\"status\":6,\"object\":\"web1\",\"message\":"
		  "\"disk: bad\",\"hint\":null}}\n" },
		{ "web1", "web10: odd", "", VM_BAD_INPUT, "vm-start: web1: web10: odd\n", NULL },
		{ "a\x1b[2J", "qemu said \"no\nway\\\x9b\"", "", VM_HYPERVISOR,
		  "vm-start: a\\x1b[2J: qemu said \"no\\x0away\\\\x9b\"\n",
		  "{\"error\":{\"kind\":\"hypervisor\",\"status\":13,\"object\":\"a\\u001b[2J\",\"message\":"
		  "\"qemu said \\\"no\\nway\\\\\xef\xbf\xbd\\\"\",\"hint\":null}}\n" },
		{ "", "unknown option --x", "", VM_USAGE,
		  "vm-start: unknown option --x\nTry 'vm-start --help'.\n",
		  "{\"error\":{\"kind\":\"usage\",\"status\":2,\"object\":null,\"message\":"
		  "\"unknown option --x\",\"hint\":\"Try 'vm-start --help'.\"}}\n" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < VM_COUNT(rows); i++) {
		VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
		struct vm_err err = { .kind = rows[i].kind };

		strcpy(err.object, rows[i].object);
		strcpy(err.msg, rows[i].msg);
		strcpy(err.hint, rows[i].hint);
		vm_cli_format_error(&start_program, false, &err, &b);
		assert_string_equal(b.text, rows[i].plain);
		vm_strbuf_clear(&b);
		vm_cli_format_error(&start_program, true, &err, &b);
		if (rows[i].json)
			assert_string_equal(b.text, rows[i].json);
	}
}

/* ---- whole programs ---- */

struct done {
	int status; /* as waitpid's */
	char out[2048], err[2048];
};

static void slurp(int fd, char *buf, size_t size)
{
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	n = read(fd, buf, size - 1);
	buf[n > 0 ? n : 0] = '\0';
	close(fd);
}

static int temporary(void)
{
	char path[] = "/tmp/vmt-cli-XXXXXX";
	int fd = mkstemp(path);

	unlink(path);
	return fd;
}

static void start(const struct vm_program *p, int out_fd, int err_fd, const char *const *args,
		  pid_t *ret)
{
	*ret = child_fork();
	if (*ret == 0) {
		char *argv[MAX_ARGS + 1] = { (char *)(uintptr_t)p->name };
		int n = 1, r;

		for (; args[n - 1]; n++)
			argv[n] = (char *)(uintptr_t)args[n - 1];
		fflush(stdout);
		dup2(out_fd, STDOUT_FILENO);
		dup2(err_fd, STDERR_FILENO);
		r = vm_cli_main(p, n, argv);
		_exit(r);
	}
}

static struct done run_program(const struct vm_program *p, int out_fd, const char *const *args)
{
	int err_fd = temporary(), out = out_fd < 0 ? temporary() : out_fd;
	struct done d = { 0 };
	pid_t pid;

	fflush(stdout);
	start(p, out, err_fd, args, &pid);
	assert_int_equal(waitpid(pid, &d.status, 0), pid);
	if (out_fd < 0)
		slurp(out, d.out, sizeof(d.out));
	slurp(err_fd, d.err, sizeof(d.err));
	return d;
}
#define RUN(p, fd, ...) run_program(p, fd, (const char *const[]){ __VA_ARGS__, NULL })

static int each(void *options, const char *operand, struct vm_err *err)
{
	static uint64_t last;
	const struct vm_common *c = options;

	/* each has the whole time, counted from when its turn came */
	if (c->deadline.at_ms < last)
		vm_log_warning("an old deadline");
	last = c->deadline.at_ms;
	vm_log_step("touch %s", operand);
	if (strncmp(operand, "slow", 4) == 0)
		last += 20, usleep(30000);
	if (strcmp(operand, "missing") == 0)
		return vm_err_set(err, VM_NOT_FOUND, "no such guest");
	if (strcmp(operand, "busy") == 0)
		return vm_err_set(err, VM_IN_USE, "busy: in use");
	if (strcmp(operand, "odd") == 0)
		vm_log_warning("odd\x1b one");
	return strcmp(operand, "same") == 0;
}

static int run_each(void *options, struct vm_err *err);
static const struct vm_program each_program = {
	.name = "vm-start", .usage = "[OPTION...] GUEST...", .summary = "Test.", .operands = guests,
	.size = sizeof(struct vm_common), .changes = true, .schema = "vm-start/1", .run = run_each,
};
static int run_each(void *options, struct vm_err *err)
{
	(void)err;
	return vm_cli_each(&each_program, options, "started", each, options);
}

static void many_guests(void **state)
{
	struct done d;

	(void)state;
	d = RUN(&each_program, -1, "a", "slow", "same", "--timeout=0.8");
	assert_int_equal(d.status, 0);
	assert_string_equal(d.out, "a: started\nslow: started\nsame: started already\n");
	assert_string_equal(d.err, "");
	d = RUN(&each_program, -1, "a", "busy", "missing", "b");
	assert_int_equal(WEXITSTATUS(d.status), VM_IN_USE); /* the first failure's */
	assert_string_equal(d.out, "a: started\nb: started\n");
	assert_string_equal(d.err, "vm-start: busy: in use\nvm-start: missing: no such guest\n");
	d = RUN(&each_program, -1, "missing", "busy", "a", "--json");
	assert_int_equal(WEXITSTATUS(d.status), VM_NOT_FOUND);
	assert_string_equal(d.out, "{\"schema\":\"vm-start/1\",\"changed\":true,\"guests\":"
				   "[{\"name\":\"a\",\"changed\":true}]}\n");
	assert_string_equal(d.err,
			    "{\"error\":{\"kind\":\"not-found\",\"status\":5,\"object\":\"missing\","
			    "\"message\":\"no such guest\",\"hint\":null}}\n"
			    "{\"error\":{\"kind\":\"in-use\",\"status\":10,\"object\":\"busy\","
			    "\"message\":\"in use\",\"hint\":null}}\n");
	d = RUN(&each_program, -1, "same", "-j");
	assert_string_equal(d.out, "{\"schema\":\"vm-start/1\",\"changed\":false,\"guests\":"
				   "[{\"name\":\"same\",\"changed\":false}]}\n");
	d = RUN(&each_program, -1, "missing", "-j");
	assert_string_equal(d.out, "");
	d = RUN(&each_program, -1, "a", "--quiet");
	assert_string_equal(d.out, "");
}

static void steps_and_warnings(void **state)
{
	struct done d;

	(void)state;
	d = RUN(&each_program, -1, "a", "odd", "-v");
	assert_string_equal(d.out, "a: started\nodd: started\n");
	assert_string_equal(d.err, "vm-start: touch a\nvm-start: touch odd\nvm-start: warning: odd\\x1b one\n");
	d = RUN(&each_program, -1, "a", "odd", "--dry-run");
	assert_string_equal(d.out, "touch a\ntouch odd\n");
	assert_string_equal(d.err, "vm-start: warning: odd\\x1b one\n");
	d = RUN(&each_program, -1, "odd", "--quiet");
	assert_string_equal(d.err, "");
	d = RUN(&each_program, -1, "odd", "--json", "--dry-run");
	assert_string_equal(d.out, "{\"schema\":\"vm-start/1\",\"changed\":false,\"guests\":"
				   "[{\"name\":\"odd\",\"changed\":false}],\"steps\":[\"touch odd\"]}\n");
	assert_string_equal(d.err, "{\"warning\":{\"message\":\"odd\\u001b one\"}}\n");
}

static void early_exits(void **state)
{
	struct done d;

	(void)state;
	d = RUN(&each_program, -1, "--version");
	assert_int_equal(d.status, 0);
	assert_string_equal(d.out, "vm-start (vm-utils) " VM_VERSION "\n");
	d = RUN(&each_program, -1, "-jh", "--nonsense");
	assert_int_equal(d.status, 0);
	assert_memory_equal(d.out, "Usage: vm-start", 15);
	assert_string_equal(d.err, "");
	d = RUN(&each_program, -1, "--nonsense", "--help");
	assert_int_equal(WEXITSTATUS(d.status), VM_USAGE);
	assert_string_equal(d.out, "");
	assert_string_equal(d.err, "vm-start: unknown option --nonsense\nTry 'vm-start --help'.\n");
	d = RUN(&each_program, -1, "--nonsense", "--json");
	assert_memory_equal(d.err, "{\"error\":{\"kind\":\"usage\"", 24);
	d = RUN(&each_program, -1, "a", "-c", "qemu");
	assert_int_equal(WEXITSTATUS(d.status), VM_USAGE);
}

/* A result that could not be written is a failure; a reader that went away is not reported. */
static void lost_output(void **state)
{
	int full = open("/dev/full", O_WRONLY), fds[2], closed;
	struct done d;

	(void)state;
	d = RUN(&each_program, full, "a");
	assert_int_equal(WEXITSTATUS(d.status), VM_SYSTEM);
	assert_string_equal(d.err, "vm-start: write output: No space left on device\n");
	d = RUN(&each_program, full, "a", "--json");
	assert_int_equal(WEXITSTATUS(d.status), VM_SYSTEM);
	d = RUN(&each_program, full, "--help");
	assert_int_equal(WEXITSTATUS(d.status), VM_SYSTEM);
	d = RUN(&each_program, full, "missing", "a");
	assert_int_equal(WEXITSTATUS(d.status), VM_NOT_FOUND);
	close(full);
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	d = RUN(&each_program, fds[1], "a");
	assert_true(WIFSIGNALED(d.status) && WTERMSIG(d.status) == SIGPIPE);
	assert_string_equal(d.err, "");
	close(fds[1]);
	closed = open("/dev/null", O_RDONLY); /* what a closed stdout becomes */
	d = RUN(&each_program, closed, "a");
	assert_int_equal(WEXITSTATUS(d.status), VM_SYSTEM);
	close(closed);
}

static int wait_for_ever(void *options, struct vm_err *err)
{
	(void)options;
	if (write(STDOUT_FILENO, "r", 1) != 1)
		return -1;
	/* The signal may come between this check and the wait: it must end all the same. */
	while (!vm_wait_interrupted())
		pause();
	printf("undone");
	errno = EINTR;
	return vm_err_sys(err, "wait");
}
static const struct vm_program waiting_program = {
	.name = "vm-wait", .usage = "", .summary = "", .size = sizeof(struct vm_common),
	.run = wait_for_ever,
};

static void signals(void **state)
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP };
	static const char *const none[] = { NULL };
	size_t i;

	(void)state;
	for (i = 0; i < 60; i++) {
		int sig = sigs[i % 3], fds[2], err_fd = temporary(), status;
		char text[32] = "", errors[64];
		ssize_t n, got = 0;
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		fflush(stdout);
		start(&waiting_program, fds[1], err_fd, none, &pid);
		close(fds[1]);
		assert_int_equal(read(fds[0], text, 1), 1);
		kill(pid, sig);
		while ((n = read(fds[0], text + got, sizeof(text) - 1 - (size_t)got)) > 0)
			got += n;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), sig);
		assert_string_equal(text, "undone"); /* after its cleanup, not instead */
		slurp(err_fd, errors, sizeof(errors));
		assert_string_equal(errors, "");
		close(fds[0]);
	}
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} rows[] = { { "0", 0 },	   { "1", 1024 },	    { "7b", 7 },
		     { "7bytes", 7 },	   { "2k", 2048 },	    { "2KiB", 2048 },
		     { "2KB", 2000 },	   { "3M", 3u << 20 },	    { "3MiB", 3u << 20 },
		     { "3MB", 3000000 },   { "1G", 1u << 30 },	    { "1gb", 1000000000 },
		     { "1T", 1ull << 40 }, { "16383P", 16383ull << 50 } };
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "1 M", "1.5M", "M", "0x10", "1X",
					   "16384P", "99999999999999999999" };
	struct vm_err err;
	uint64_t n;
	size_t i;

	(void)state;
	for (i = 0; i < VM_COUNT(rows); i++) {
		assert_int_equal(vm_parse_size(rows[i].text, &n, &err), 0);
		assert_true(n == rows[i].bytes);
	}
	for (i = 0; i < VM_COUNT(bad); i++) {
		assert_int_equal(vm_parse_size(bad[i], &n, &err), -1);
		assert_int_equal(err.kind, VM_USAGE);
	}
	assert_int_equal(vm_parse_u64("5", 6, 7, &n, &err), -1);
	assert_string_equal(err.msg, "'5' is not from 6 to 7");
	assert_int_equal(vm_parse_u64("5", 6, UINT64_MAX, &n, &err), -1);
	assert_string_equal(err.msg, "'5' is less than 6");
	assert_int_equal(vm_parse_u64("0x", 0, 7, &n, &err), -1);
}

static void timeout_of_the_environment(void **state)
{
	VM_AUTO(vm_cli_parsed_free) struct vm_cli_parsed r = VM_CLI_PARSED_INIT;
	VM_AUTO(vm_cli_parsed_free) struct vm_cli_parsed given = VM_CLI_PARSED_INIT;
	VM_AUTO(vm_cli_parsed_free) struct vm_cli_parsed bad = VM_CLI_PARSED_INIT;
	VM_AUTO(vm_cli_parsed_free) struct vm_cli_parsed help = VM_CLI_PARSED_INIT;
	struct vm_err err = VM_ERR_INIT;
	struct vm_common *c;

	(void)state;
	setenv("VM_TIMEOUT", "90", 1);
	assert_int_equal(parse(&start_program, &r, &err, "web1", NULL), 0);
	c = r.options;
	assert_int_equal(c->timeout_ms, 90000);
	assert_false(c->timeout_given);
	assert_int_equal(parse(&start_program, &given, &err, "web1", "--timeout=3", NULL), 0);
	c = given.options;
	assert_int_equal(c->timeout_ms, 3000);
	setenv("VM_TIMEOUT", "0", 1);
	assert_int_equal(parse(&start_program, &help, &err, "--help", NULL), 0);
	assert_int_equal(parse(&start_program, &bad, &err, "web1", NULL), -1);
	assert_int_equal(err.kind, VM_USAGE);
	assert_non_null(strstr(err.msg, "VM_TIMEOUT: "));
	unsetenv("VM_TIMEOUT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(help_of_the_contract), cmocka_unit_test(help_of_crowded_lines),
		cmocka_unit_test(values),		cmocka_unit_test(sets),
		cmocka_unit_test(usage_errors),		cmocka_unit_test(operands),
		cmocka_unit_test(again),		cmocka_unit_test(describes),
		cmocka_unit_test(reports),		cmocka_unit_test(many_guests),
		cmocka_unit_test(steps_and_warnings),	cmocka_unit_test(early_exits),
		cmocka_unit_test(lost_output),		cmocka_unit_test(signals),
		cmocka_unit_test(sizes),		cmocka_unit_test(timeout_of_the_environment),
	};

	setenv("VM_ROOT", "/nonexistent", 1); /* no line in the machine's syslog */
	unsetenv("VM_CONNECT");
	unsetenv("VM_TIMEOUT");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
