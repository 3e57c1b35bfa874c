"""The training tab: any recipe, live, with the curves of JEAT Fig. 3 and CEM (11); two runs side by side on shared axes."""
