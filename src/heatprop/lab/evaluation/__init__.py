"""Numbers that can be trusted: the official metric of ImageNet VID, COCO's, and what lies behind them."""
