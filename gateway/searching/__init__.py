"""One box over everything: what people type, in Chinese, pinyin, English or as a code, and what it finds."""
