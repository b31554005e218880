/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The command line.  One table of options per program feeds the parser, --help, the completions and the
 * check of the manual page; main() is a call of vm_cli_main().
 *
 * Rules: options and operands mix; "--" ends options; "--opt V" = "--opt=V"; an
 * optional value is taken only as "--opt=V"; no abbreviations; "--domain G" stands for the GUEST operand and
 * "--file F" for a FILE operand.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vm/deadline.h>
#include <vm/err.h>

enum vm_opt_kind {
	VM_OPT_FLAG,	/* bool */
	VM_OPT_STR,	/* const char * */
	VM_OPT_U64,	/* uint64_t, decimal, 0x.. */
	VM_OPT_SECONDS, /* uint64_t milliseconds; typed in seconds, fractions allowed; 0 refused */
	VM_OPT_SIZE,	/* uint64_t bytes; bare = KiB; suffixes b k KiB KB M MiB MB G GiB T ... */
	VM_OPT_ENUM,	/* int: index into words (NULL-terminated const char *const[]), else refused by
			 * name with the words listed */
	VM_OPT_LIST,	/* struct vm_words: may repeat, each splits at commas (value 1: is taken whole) */
	VM_OPT_SET,	/* uint64_t: bit of `value` is set (--state-running adds to a set) */
};
struct vm_words { /* NULL-terminated */
	const char **v;
	size_t n;
};
/* The word itself is not copied; vm_words_free() frees words that are owned. */
void vm_words_add(struct vm_words *w, const char *word);
void vm_words_free(struct vm_words *w);
struct vm_opt {
	const char *name; /* "stop-timeout"; NULL ends the table */
	char letter;	  /* 's' or 0 */
	uint8_t kind;	  /* enum vm_opt_kind */
	bool optional;	  /* the value may be left out ("--wait[=SECONDS]"): then `value` is stored (for
			   * SECONDS: milliseconds, STR: (const char *)"" ) */
	uint8_t same_line; /* --help: print on the line of the option before, after this many spaces */
	size_t off;	  /* offsetof(struct options, member) */
	size_t given;	  /* offsetof a bool that is set when given, or 0 */
	uint64_t value;
	const char *arg;  /* "SECONDS"; NULL for flags */
	const void *words;
	const char *help; /* lines separated by \n; "" = no text (grouped options); NULL = not shown.  Where
			   * the options leave no room in front of it, text follows after one space, or
			   * on a line of its own if it begins with \n */
	const char *complete; /* "guest", "guest:running", "file", "dir", "uri" ... for completions; NULL = from kind */
};

/* First member of every program's struct options. */
struct vm_common {
	const char *connect; /* NULL = default */
	uint64_t timeout_ms; /* default 10,000 */
	bool timeout_given;
	bool dry_run, json, quiet, verbose;
	bool only_looked; /* set by run(): this time nothing was to be changed, and syslog gets no line */
	struct vm_words operands;    /* as typed; "--domain"/"--file" put where they belong */
	struct vm_deadline deadline; /* of the whole command: now + timeout_ms */
};

enum vm_operand { /* what an operand is, for completion and arity messages */
	VM_OPERAND_GUEST = 1,
	VM_OPERAND_FILE,
	VM_OPERAND_OTHER,
};
struct vm_operand_spec {
	const char *name; /* "GUEST", "KEY[=VALUE]" */
	uint8_t kind;	  /* enum vm_operand */
	bool optional, many;
	const char *complete; /* as in struct vm_opt */
};
/* [GUEST...], of any state. */
extern const struct vm_operand_spec vm_operands_guests[];
struct vm_program {
	const char *name;	/* "vm-start" */
	const char *usage;	/* "[OPTION...] GUEST..."; more forms separated by \n */
	const char *summary;	/* the sentence(s) below Usage, \n-separated */
	const struct vm_opt *options;
	const struct vm_operand_spec *operands; /* up to a NULL name */
	size_t size;		/* sizeof(struct options) */
	const void *defaults;	/* initial struct options, or NULL = zero */
	bool changes;		/* has --dry-run, leaves a syslog line */
	/* The work.  Returns 0, or the status to exit with (predicates: 1), or -1 with *err. */
	int (*run)(void *options, struct vm_err *err);
	const char *schema; /* "vm-start/1": for JSON results of vm_cli_each() */
	const char *things; /* its array in there; NULL = "guests" */
	bool tty;	    /* needs a terminal (vm-console, vm-edit): ssh -t on remote connections */
};

/* Parses, runs, reports, flushes: the whole of main().  Returns the exit status (or dies of the signal
 * that interrupted it).  Signals: SIGINT and SIGTERM set vm_interrupted and interrupt every wait. */
int vm_cli_main(const struct vm_program *p, int argc, char **argv);
/*
 * Does one thing to each operand: one stderr line per failure, the rest is still tried; returns the status
 * of the first failure in operand order (0 = all done).  Prints the JSON result of a changing command:
 * {"schema":...,"changed":...,"guests":[{"name":...,"changed":...},...]}; in plain a line
 * "<operand>: <word>" unless --quiet, --dry-run or word is NULL.  Every operand has --timeout to itself: the
 * deadline in options is set anew.
 * each returns 0 = done, changed; 1 = was so already (--if-needed), -1 with *err.  It may put another word in the operand's
 * place: what is told then is that (the name of what a file defines).
 */
int vm_cli_each(const struct vm_program *p, const struct vm_common *c, const char *word,
		int (*each)(void *options, const char *operand, struct vm_err *err), void *options);
/* Memory sizes as typed by virsh users: "1024" = KiB.  Both: VM_USAGE. */
int vm_parse_size(const char *text, uint64_t *ret_bytes, struct vm_err *err);
int vm_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret, struct vm_err *err);
/* Reports *err now as vm_cli_main() would (one stderr line, JSON with --json). */
void vm_cli_report(const struct vm_program *p, const struct vm_common *c, const struct vm_err *err);
