help:
	@echo "targets follow"
