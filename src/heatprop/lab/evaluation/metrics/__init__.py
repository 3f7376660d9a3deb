"""The figures: the official metric and its motion subsets, the paper's class-agnostic ones, COCO's."""
