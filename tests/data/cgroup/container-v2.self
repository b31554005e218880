0::/../elsewhere
