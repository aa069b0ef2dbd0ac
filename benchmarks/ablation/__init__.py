"""The failures of the project that this one grew out of, each made again and mended."""
