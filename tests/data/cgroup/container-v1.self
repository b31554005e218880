5:freezer:/docker/4f5d
4:memory:/docker/4f5d
3:devices:/docker/4f5d/inner
2:cpu,cpuacct:/docker/4f5d9/x
