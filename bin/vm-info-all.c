/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/info.h"
#include "guest/info_cli.h"

static int run(void *opaque, struct vm_err *err)
{
	int status = 0;

	return vm_info_cli(opaque, &vm_info_all, &status, err) < 0 ? -1 : status;
}

static const struct vm_program program = VM_INFO_PROGRAM(run);

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
