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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(help_of_the_contract), cmocka_unit_test(help_of_crowded_lines),
		cmocka_unit_test(values),		cmocka_unit_test(sets),
		cmocka_unit_test(usage_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
