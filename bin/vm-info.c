/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <unistd.h>

#include <vm/cleanup.h>

#include "guest/info.h"
#include "guest/info_cli.h"
#include "host/self.h"

static char **arguments;

static int run(void *opaque, struct vm_err *err)
{
	const struct vm_info_options *o = opaque;
	VM_AUTO_FREE char *helper = NULL;
	int status = 0, r = vm_info_cli(o, &vm_info_light, &status, err);

	if (r <= 0)
		return r < 0 ? -1 : status;
	if (vm_self_helper("vm-info-all", &helper, err) < 0)
		return -1;
	execv(helper, arguments);
	return vm_err_sys(err, "run %s", helper);
}

static const struct vm_program program = VM_INFO_PROGRAM(run);

int main(int argc, char **argv)
{
	arguments = argv;
	return vm_cli_main(&program, argc, argv);
}
