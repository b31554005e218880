/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/qmp/command.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/json.h>
#include <vm/state.h>

#include "driver.h"
#include "qemu/qmp/agent.h"
#include "qemu/qmp/monitor.h"
#include "qemu/qmp/qmp.h"
#include "qemu/qmp/qmp_line.h"

void vm_qemu_command_free(struct vm_qemu_command *c)
{
	free(vm_take_ptr(&c->arguments));
}

static int check_members(const char *text, struct vm_err *err)
{
	static const char *const known[] = {"execute", "arguments", "id"};
	struct vm_err why = VM_ERR_INIT;
	json_t *root, *value;
	const char *key;
	int rc = 0;

	if (vm_qmp_line_decode(text, strlen(text), NULL, &root, &why) < 0)
		return vm_err_set(err, VM_BAD_INPUT, "the command is no JSON object");
	json_object_foreach(root, key, value)
	{
		size_t i = 0;

		while (i < VM_COUNT(known) && strcmp(key, known[i]) != 0)
			i++;
		if (i == VM_COUNT(known))
			rc = vm_err_set(err, VM_BAD_INPUT, "the command has an unknown member '%s'",
					key);
	}
	if (rc == 0 && !json_is_string(json_object_get(root, "execute")))
		rc = vm_err_set(err, VM_BAD_INPUT, "the command has no \"execute\" with a name");
	value = json_object_get(root, "arguments");
	if (rc == 0 && value != NULL && !json_is_object(value))
		rc = vm_err_set(err, VM_BAD_INPUT, "\"arguments\" is no JSON object");
	json_decref(root);
	return rc;
}

static int parse_object(const char *text, struct vm_qemu_command *ret, struct vm_err *err)
{
	struct vm_json_slice arguments;
	size_t len = strlen(text);

	if (check_members(text, err) < 0)
		return -1;
	/* Taken as it stands: numbers keep their spelling. */
	arguments = vm_json_find(text, len, "arguments");
	if (!vm_json_string(vm_json_find(text, len, "execute"), ret->name, sizeof(ret->name)))
		return vm_err_set(err, VM_BAD_INPUT,
				  "the command is nested too deeply, or its name "
				  "too long");
	if (arguments.at != NULL)
		ret->arguments = vm_xstrndup(arguments.at, arguments.len);
	return 0;
}

int vm_qemu_command_parse(const char *text, struct vm_qemu_command *ret, struct vm_err *err)
{
	size_t len;

	*ret = (struct vm_qemu_command){0};
	text += strspn(text, " \t\r\n");
	if (text[0] == '{')
		return parse_object(text, ret, err);
	len = strcspn(text, " \t\r\n{");
	if (len == 0 || len >= sizeof(ret->name))
		return vm_err_set(err, VM_BAD_INPUT, "there is no name of a command");
	memcpy(ret->name, text, len);
	text += len + strspn(text + len, " \t\r\n");
	if (text[0] == '\0')
		return 0;
	if (text[0] != '{' || !vm_json_valid(text, strlen(text))) {
		vm_err_set(err, VM_BAD_INPUT, "what follows %s is no JSON object", ret->name);
		return vm_err_hint(err, "give its arguments as {\"NAME\":VALUE}, or use --hmp");
	}
	ret->arguments = vm_xstrdup(text);
	return 0;
}

static int call(struct vm_qmp *q, const struct vm_monitor_call *c, struct vm_deadline deadline,
		char **ret_reply, struct vm_err *err)
{
	VM_AUTO(vm_qemu_command_free) struct vm_qemu_command cmd = {.arguments = NULL};
	uint64_t id;

	if (c->hmp)
		return vm_qmp_hmp(q, c->command, deadline, ret_reply, err);
	if (vm_qemu_command_parse(c->command, &cmd, err) < 0)
		return -1;
	if (strcmp(cmd.name, "query-qmp-schema") == 0)
		vm_qmp_line_max(q, VM_QMP_LINE_MAX_SCHEMA);
	if (vm_qmp_send_fd(q, cmd.name, cmd.arguments, c->fd, deadline, &id, err) < 0)
		return -1;
	return vm_qmp_recv_text(q, id, deadline, ret_reply, err);
}

int vm_qemu_monitor(struct vm_guest *g, const struct vm_monitor_call *c,
		    struct vm_deadline deadline, char **ret_reply, struct vm_err *err)
{
	VM_AUTO(vm_qmp_close) struct vm_qmp *q = NULL;

	if (vm_qemu_monitor_open(g, deadline, &q, err) < 0)
		return -1;
	if (call(q, c, deadline, ret_reply, err) == 0)
		return 0;
	return vm_qmp_refused(q) != NULL || vm_qmp_broken(q) ? -1 : vm_qemu_silent(g, err);
}

int vm_qemu_agent_command(struct vm_guest *g, const struct vm_monitor_call *c,
			  struct vm_deadline deadline, char **ret_reply, struct vm_err *err)
{
	VM_AUTO(vm_qemu_command_free) struct vm_qemu_command cmd = {.arguments = NULL};
	VM_AUTO(vm_agent_close) struct vm_agent *a = NULL;
	json_t *arguments = NULL, *reply = NULL;
	int rc;

	if (vm_qemu_command_parse(c->command, &cmd, err) < 0 ||
	    vm_agent_open(g, deadline, &a, err) < 0)
		return -1;
	if (cmd.arguments != NULL &&
	    vm_qmp_line_decode(cmd.arguments, strlen(cmd.arguments), NULL, &arguments, err) < 0)
		return -1;
	rc = vm_agent_call(a, cmd.name, arguments, deadline, &reply, err);
	json_decref(arguments);
	if (rc < 0)
		return -1;
	*ret_reply = json_dumps(reply, JSON_ENCODE_ANY | JSON_COMPACT);
	json_decref(reply);
	return *ret_reply != NULL ? 0
				  : vm_err_set(err, VM_HYPERVISOR, "the reply cannot be written");
}
