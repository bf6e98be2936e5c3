"""The embedded default: a synthetic multilingual world, its tasks and its tiny pretrained backbones."""
