3:memory:/
2:freezer:/
1:cpuset:/
